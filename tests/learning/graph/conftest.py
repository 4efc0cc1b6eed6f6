"""These tests run torch, the networks extra; where it is missing they are left out."""

from importlib.util import find_spec

collect_ignore_glob = ["test_*.py"] if find_spec("torch") is None else []
