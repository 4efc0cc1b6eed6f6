"""What a run leaves: its folder, its documents, and its object in Python."""
