"""The reference without protection: `protection` is the way in, `site` and `server` its halves."""
