"""Other programs, installed by `make test-all` in a folder of their own: their files are imported from there alone."""

import sys
from pathlib import Path

import pytest

FOLDER = Path(sys.prefix) / "oracles"


def folder(name):
    """Where one of them lies. Skips the test: it is not installed."""
    if not (FOLDER / name).is_dir():
        pytest.skip(f"{name} is not in {FOLDER} (make .venv/.oracles)")
    return FOLDER / name
