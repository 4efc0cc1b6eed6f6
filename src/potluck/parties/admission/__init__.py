"""How a party comes to take part in a run: proposed, judged, approved, and what it then holds for it."""
