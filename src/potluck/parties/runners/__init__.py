"""Who moves the letters and owns the clocks: all parties in one process, a site, the server."""
