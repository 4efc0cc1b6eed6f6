"""Tables of a plan that are too long to stand in `core.plan`."""
