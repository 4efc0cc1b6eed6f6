"""Attacks and audits: what a coalition could do with what it saw of a run, and whether mechanisms keep promises."""
