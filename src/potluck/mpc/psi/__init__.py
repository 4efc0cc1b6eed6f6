"""Private set intersection: `rounds` is the way in; `rr22`, `two` and `many` find the common keys."""
