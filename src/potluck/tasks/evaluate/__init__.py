"""Finished models, judged at sites that did not train them."""
