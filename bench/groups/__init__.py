"""A file a group of figures: `rows()` measures them all."""
