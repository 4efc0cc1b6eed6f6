"""The three-server sum: `sum` is the protection, `site`, `compute` and `server` its parts."""
