"""Whose keys a site goes by: the federation file that it follows, and members that a person agreed to."""
