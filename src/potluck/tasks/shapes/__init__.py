"""Shapes of plans of which an attack is known: a shape is a file, and a line in the table."""
