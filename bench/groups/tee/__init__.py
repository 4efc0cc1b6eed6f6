"""What trusted execution costs."""
