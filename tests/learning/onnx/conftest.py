"""These tests run torch, the networks extra, and onnxruntime. Where one is missing they are left out, and fail under
CI=true."""

import os
from importlib.util import find_spec

_missing = any(find_spec(name) is None for name in ("torch", "onnx", "onnxruntime"))
collect_ignore_glob = ["test_*.py"] if _missing and os.environ.get("CI") != "true" else []
