"""The owner's pages: what waits and what it means, a decision, what was asked before, the access log."""
