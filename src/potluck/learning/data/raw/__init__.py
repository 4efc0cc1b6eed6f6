"""Raw columns as other programs read them."""
