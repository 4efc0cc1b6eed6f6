"""How well finished models do on rows that they were not trained on: one sum, and what is read off it."""
