"""Rows as a plan declares them: sources, columns, encoding, targets, units, and what an owner is told of its rows."""

from potluck.learning.data import derivations, kinds, sources  # noqa: F401 - so that the kinds are in their tables
