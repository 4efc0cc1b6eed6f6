"""The statistics of a run as tidy pandas tables."""

from pathlib import Path
from typing import TYPE_CHECKING

from potluck.learning.statistics.forms import Frame
from potluck.report.outcome import read

if TYPE_CHECKING:
    from pandas import DataFrame


def frames(folder: Path) -> "dict[str, DataFrame]":
    """By the statistic's name its first table, and the others as `name.table`. Raises UsageError: the folder cannot be
    read."""
    import pandas as pd

    _, details = read(folder)
    return {
        ".".join(filter(None, (question.name, one.name))): pd.DataFrame(one.rows, columns=list(one.head))
        for question in details.questions
        for one in question.forms
        if isinstance(one, Frame)
    }
