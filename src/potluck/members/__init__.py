"""Who belongs to a federation: keys, cards, the signed federation file."""
