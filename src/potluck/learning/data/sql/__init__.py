"""Queries over rows: declared columns are cleaned, encoded and, for statistics, added up inside an engine."""
