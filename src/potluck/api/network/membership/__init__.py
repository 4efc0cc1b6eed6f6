"""Whose keys a site goes by: the federation file that it follows, members a person agreed to, and who was turned away."""
