"""A plan over thousands of made-up clients in one process: nothing is sealed, and whatever comes of it says so."""
