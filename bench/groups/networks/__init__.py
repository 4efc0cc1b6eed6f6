"""Networks as graphs: a step of one, and its gradients clipped row by row."""
