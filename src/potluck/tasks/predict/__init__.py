"""Private prediction: one site has a model, another has rows and reads the scores."""
