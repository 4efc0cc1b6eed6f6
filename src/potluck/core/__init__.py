"""The vocabulary of the house: plan, stages, rounds, desk, views, wire, fixed point, errors."""
