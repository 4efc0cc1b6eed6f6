"""Networks as data: a graph of named operations and its weights, in one file that holds no code.

`file` reads and writes it, `check` says whether a graph keeps rows apart and what it costs, `interpreter` runs it with
torch, `make` makes it of a torch module, `table` shows it.
"""
