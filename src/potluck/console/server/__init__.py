"""The coordinator's pages: who is there, a plan's check and start, runs as they go, and what they left."""
