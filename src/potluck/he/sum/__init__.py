"""Threshold sums under a joint key: `protection` is the way in, `site` and `server` its halves."""
