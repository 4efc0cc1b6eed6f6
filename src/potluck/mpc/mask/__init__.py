"""Secure aggregation by masks: `protection` is the way in, `server` and `site` its halves."""
