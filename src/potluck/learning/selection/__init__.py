"""Which rows stand behind the numbers that a plan without noise opens."""
