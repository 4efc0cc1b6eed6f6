"""A first plan from owners' own rows: commented, and to be confirmed."""
