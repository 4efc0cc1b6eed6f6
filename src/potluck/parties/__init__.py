"""Who takes part: the catalog, the drivers, the runners and their durable budget."""
