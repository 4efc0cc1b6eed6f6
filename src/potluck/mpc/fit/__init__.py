"""A fit over columns at different owners: `site`, `compute` and `server` are its halves."""
