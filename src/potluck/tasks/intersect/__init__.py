"""Intersections: which keys all owners have, or how many."""
