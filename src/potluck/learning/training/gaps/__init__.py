"""What fills the gaps of columns before a model is trained on them."""
