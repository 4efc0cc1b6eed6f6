"""Potluck: organisations learn together while every row of data stays with its owner."""
