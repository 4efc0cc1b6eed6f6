"""Who takes part: the catalog, the drivers, and the runners that move letters and own the clocks."""
