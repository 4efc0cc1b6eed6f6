"""Private set intersection: `site` and `server` are its halves; `rr22`, `two` and `many` find the common keys."""
