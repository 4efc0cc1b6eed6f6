"""Statistics as one sum, and what is read off it."""
