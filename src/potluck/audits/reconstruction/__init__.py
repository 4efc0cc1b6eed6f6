"""Attacks that find rows, or what rows of one site come to, in sums over them."""
