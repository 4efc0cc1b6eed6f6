"""Engines: libraries that need an interpreter of their own, run as worker processes that speak bytes."""
