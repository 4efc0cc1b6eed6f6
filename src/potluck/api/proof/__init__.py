"""What could be done with a run's record, and whether mechanisms keep their promises."""
