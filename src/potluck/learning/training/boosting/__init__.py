"""Boosting on summed histograms: trees and additive models, each round of which follows from exact sums of all rows."""
