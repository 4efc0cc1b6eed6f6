"""Other programs, installed by `make test-all` in a folder of their own: their files are imported from there alone."""

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(sys.prefix) / "oracles"


def _folder(name):
    if not (FOLDER / name).is_dir():
        pytest.skip(f"{name} is not in {FOLDER} (make .venv/.oracles)")
    return FOLDER / name


@pytest.fixture(scope="session")
def jax_auditing():
    """jax_privacy.auditing, which stands alone; the package around it asks for JAX."""
    spec = importlib.util.spec_from_file_location("jax_privacy_auditing", _folder("jax_privacy") / "auditing.py")
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def privacy_guard(monkeypatch):
    """Its name, to import from."""
    name = _folder("privacy_guard").name
    monkeypatch.syspath_prepend(FOLDER)
    return name
