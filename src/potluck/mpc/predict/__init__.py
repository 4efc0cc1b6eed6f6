"""Private prediction under `share`: `protection` is the way in, `owner`, `client`, `server`, `compute` its halves."""
