"""What a site's process says of itself while it runs, and whom it tells of what waits."""
