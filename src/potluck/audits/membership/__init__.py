"""Attacks that tell whether a row was in training, or in a statistic."""
