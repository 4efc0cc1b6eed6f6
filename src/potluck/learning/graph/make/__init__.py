"""On the researcher's machine: a torch module becomes a graph, or is refused by the name of what no graph may do."""
