"""Attacks on matching by keys."""
