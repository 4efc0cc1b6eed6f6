"""Rows of different owners matched by keys: the first stretch of each task that needs it."""
