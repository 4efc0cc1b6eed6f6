"""Where the repository's folders are, for tests at any depth; and how a process finds `support`."""

import os
from pathlib import Path

import potluck

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
SRC = Path(potluck.__file__).parent


def environment(*folders: Path) -> dict[str, str]:
    """This process's environment, in which Python also finds modules of `folders` and `support`."""
    paths = [*map(str, folders), str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
