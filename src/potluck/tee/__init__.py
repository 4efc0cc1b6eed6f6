"""Trusted execution: evidence of what code runs on which machine, judged by an owner's own policy."""
