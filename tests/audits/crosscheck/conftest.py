"""Programs that judge attacks as well."""

import importlib.util
import sys

import pytest

from support import oracles


@pytest.fixture(scope="session")
def jax_auditing():
    """jax_privacy.auditing, which stands alone; the package around it asks for JAX."""
    spec = importlib.util.spec_from_file_location("jax_privacy_auditing", oracles.folder("jax_privacy") / "auditing.py")
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def privacy_guard(monkeypatch):
    """Its name, to import from."""
    name = oracles.folder("privacy_guard").name
    monkeypatch.syspath_prepend(oracles.FOLDER)
    return name
