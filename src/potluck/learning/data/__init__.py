"""Rows as a plan declares them: sources, columns, encoding, targets, units, and what an owner is told of its rows."""

from potluck.learning.data import derivations, kinds, reductions, sources  # noqa: F401 - fills the tables of kinds
