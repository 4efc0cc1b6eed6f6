"""A policy changed on a page: its controls, what a change means, and one that waits for a second person."""
