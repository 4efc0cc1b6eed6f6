"""Tools for those who test protections, ours and their own. Nothing of the package imports it."""
