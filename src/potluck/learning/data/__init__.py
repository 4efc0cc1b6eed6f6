"""Rows as a plan declares them: sources, columns, encoding, targets, units, and what an owner is told of its rows."""
