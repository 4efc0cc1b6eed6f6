"""Rows made up from noised marginals."""
