"""The first layer of a plan's model: where it lies in a vector of weights, and whether it singles rows out."""
