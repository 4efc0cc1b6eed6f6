"""One fixture: a page from two documents."""

from collections.abc import Callable
from pathlib import Path

import pytest

from potluck.report.page import render
from support.report.samples import write


@pytest.fixture
def page(tmp_path: Path) -> Callable[..., str]:
    """page(run, details) -> the HTML."""
    return lambda run, details: render(write(tmp_path / "run", run, details))
