"""These tests run torch, the networks extra. Where it is missing they are left out, and fail under CI=true."""

import os
from importlib.util import find_spec

collect_ignore_glob = ["test_*.py"] if find_spec("torch") is None and os.environ.get("CI") != "true" else []
