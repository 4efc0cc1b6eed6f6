"""Cells that name files: how they are found, decoded, brought to a shape and held.

A format is a file here and a line in `formats`. All are decoded by their content, whatever they are called.
"""
