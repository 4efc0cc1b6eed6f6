"""What a trained model says of itself, beside predicting."""

from __future__ import annotations

from pathlib import Path

from potluck.learning.models.model import Model
from potluck.learning.models.summary import Summary
from potluck.tasks.trained import MODEL


def summary(model: str | Path) -> Summary:
    """The summary of a model file, or of the one in a run's folder. Raises UsageError: there is none."""
    path = Path(model)
    return Model.read(path / MODEL if path.is_dir() else path).summary()
