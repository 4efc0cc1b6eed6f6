"""Graphs of networks: made of a torch module on its author's machine, and shown to owners."""
