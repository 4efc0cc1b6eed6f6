"""This machine: its engines, its enclaves and their evidence."""
