"""An owner in command of its data: policy, source, requests and approvals, the ledger, the access log."""
