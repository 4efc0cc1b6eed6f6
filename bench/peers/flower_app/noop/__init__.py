"""A Flower app that does nothing, for its round to be timed."""
