"""Data dictionaries of other tools -> the columns of a plan."""
