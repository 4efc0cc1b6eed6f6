"""A plan as its author wrote it: TOML, its grammar, and the checked data behind it."""
