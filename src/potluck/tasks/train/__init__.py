"""Training on rows at different owners: sums, one after another."""
