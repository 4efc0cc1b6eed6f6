"""Secure aggregation by masks: `sum` is the protection, `server` and `site` its halves."""
