"""Homomorphic encryption: the one sum under a joint key that nobody holds, and predictions on encrypted rows."""
