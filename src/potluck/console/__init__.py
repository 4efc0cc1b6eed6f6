"""Pages for people: what a terminal's verbs do, in a browser on the same machine, or behind its owner's proxy."""
