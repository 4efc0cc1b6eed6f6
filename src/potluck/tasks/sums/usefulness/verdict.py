"""How useful a model is, in a word: by how much is kept of the way from a guess to the best model."""

from collections.abc import Sequence
from dataclasses import dataclass

from potluck.tasks.here import Json

LITTLE, USEFUL, POOR = 0.85, 0.6, 0.3
"""From which on noise costs little, the model is useful, and it is poor; below it is of no use."""


def verdict(kept: float) -> str:
    """The word."""
    return worded(kept >= LITTLE, kept >= USEFUL, kept >= POOR)


def worded(little: bool, useful: bool, poor: bool) -> str:
    """The word, by the first that holds."""
    return "noise costs it little" if little else "useful" if useful else "poor" if poor else "of no use"


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing can be said of how useful it will be. why: as words that follow a colon."""

    why: str

    def document(self) -> Json:
        """As JSON has it."""
        return {"verdict": None, "why": self.why}

    def advice(self) -> Sequence[Json]:
        """None."""
        return ()

    def words(self) -> Sequence[str]:
        """A line."""
        return (f"how useful: nothing is known before training: {self.why}",)

    def warnings(self) -> Sequence[str]:
        """None."""
        return ()
