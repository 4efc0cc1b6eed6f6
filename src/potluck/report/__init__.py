"""A run folder becomes one static HTML page."""
