"""What an owner reads of a graph's file."""

from pathlib import Path

from potluck.learning.graph.file import read
from potluck.learning.graph.outline import Outline, outline


def show(path: Path, base: Path | None = None) -> Outline:
    """What is in a graph's file. Raises UsageError: it cannot be read; GraphError: it is not what it has to be."""
    return outline(read(path, base))
