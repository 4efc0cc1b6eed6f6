"""Multi-party computation: ways to compute the one sum."""
