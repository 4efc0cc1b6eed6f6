"""What the groups measure with: rows and turns, real deployments, federations in memory, the page of results."""
