"""A run's pictures for matplotlib, from the same forms that its report shows."""
