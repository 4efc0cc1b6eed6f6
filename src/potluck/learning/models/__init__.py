"""Kinds of models: their files, how they score, what is said of them."""
