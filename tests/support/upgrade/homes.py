"""Homes as another program left them (`make.py`), unpacked for a test, and what that program said of them."""

import json
import tarfile
from pathlib import Path
from typing import Any

KEPT = Path(__file__).parent / "homes.tar.xz"
SITES = ("north", "south", "west")


def unpacked(folder: Path) -> dict[str, Any]:
    """The homes, in `folder`, with the modes that they had; gives what the program said."""
    with tarfile.open(KEPT) as tar:
        tar.extractall(folder, filter=private)
    return json.loads((folder / "told.json").read_text(encoding="utf-8"))


def private(member: tarfile.TarInfo, to: str) -> tarfile.TarInfo:
    """As `tar_filter`, for whoever unpacks: the modes stay, and nothing lies outside."""
    found = tarfile.tar_filter(member, to)
    return found.replace(uid=None, gid=None, uname=None, gname=None, deep=False)


def files(folder: Path) -> dict[str, bytes]:
    """All that lies in a folder, by path, but locks and what SQLite keeps beside a file that is open."""
    left = (".lock", "-shm", "-wal", "-journal")
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(left))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}
