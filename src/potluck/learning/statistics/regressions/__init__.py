"""Regressions by sums of several rounds: what rows add, and what coefficients, errors and intervals come of it."""
