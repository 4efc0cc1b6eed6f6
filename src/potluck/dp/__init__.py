"""Differential privacy: bounds, exact integer noise, accounting, and the one reveal."""
