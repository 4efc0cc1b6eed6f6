"""Who takes part: admission, and the runners that move letters and own the clocks."""
