"""What one process does with all parties in it: run, check, explain, score, demo."""
