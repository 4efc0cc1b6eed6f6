"""Predictions in an enclave: `protection` is the way in, `owner`, `client`, `server` its halves, `compute` inside."""
