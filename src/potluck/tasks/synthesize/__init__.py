"""Rows that nobody has, made up from marginals of those that owners have."""
