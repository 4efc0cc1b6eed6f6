"""A fit over columns at different owners: one round on shares."""
