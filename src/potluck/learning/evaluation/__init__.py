"""How well a model does, and how well that is known."""
