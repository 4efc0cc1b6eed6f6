"""What one home knows of a run, as its permit annex says it. Nothing here reads a row."""
