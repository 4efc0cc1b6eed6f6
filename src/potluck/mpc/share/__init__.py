"""The three-server sum: `protection` is the way in, `site`, `compute` and `server` its halves."""
