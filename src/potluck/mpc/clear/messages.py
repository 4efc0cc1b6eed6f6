"""The one step of a sum without protection: the words, packed."""

INPUT = "clear/input"
