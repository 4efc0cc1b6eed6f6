"""Estimators of scikit-learn over `potluck.run`."""
