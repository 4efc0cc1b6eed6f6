"""Settings chosen by validation rows: each combination is a plan of its own, which is run and charged as any other."""
