"""A no to a run that no person need be asked about."""

from __future__ import annotations


class Denied(Exception):
    """code travels to the server; words are the owner's."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


def impossible(why: str) -> Denied:
    """What is said of a plan that nobody could carry out."""
    return Denied("plan", f"the plan cannot be carried out as it is: {why}")
