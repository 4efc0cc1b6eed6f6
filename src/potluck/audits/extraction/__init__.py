"""Canary extraction: how much of a secret row or text a released model gives away."""
