"""Predictions on encrypted rows: `protection` is the way in, `owner`, `client` and `server` its halves."""
