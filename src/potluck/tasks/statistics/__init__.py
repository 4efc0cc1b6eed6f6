"""Statistics over rows at different owners: one sum."""
