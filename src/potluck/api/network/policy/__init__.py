"""A site's policy at its pages: in words, changed, and what a change would do to requests."""
