"""Models that are boosted, as data: what a model file holds of them, how they score, and how they grow."""
