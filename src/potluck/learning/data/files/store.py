"""Decoded files, some of which are kept: as many bytes of them as the owner's policy lets the reading of rows take."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from potluck.learning.data.files import folder
from potluck.learning.data.files.fit import Fitted

Decode = Callable[[bytes], Fitted]


@dataclass(slots=True, eq=False)
class Store:
    """Files of one site. root: the folder that paths are from; most: bytes of decoded files that are kept, the last
    used ones."""

    root: Path
    most: int
    _kept: OrderedDict[tuple[str, bytes], Fitted] = field(default_factory=OrderedDict, repr=False)
    _bytes: int = field(default=0, repr=False)

    def read(self, column: str, path: str, decode: Decode) -> tuple[bytes, Fitted]:
        """A file's digest, and what it decodes to for a column. Raises Unreadable."""
        data = folder.read(self.root, path)
        digest = hashlib.sha256(data).digest()
        found = self.kept(column, digest)
        if found is None:
            found = decode(data)
            self._keep((column, digest), found)
        return digest, found

    def kept(self, column: str, digest: bytes) -> Fitted | None:
        """What a file of this digest decoded to, where it is still kept."""
        key = (column, digest)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def _keep(self, key: tuple[str, bytes], found: Fitted) -> None:
        if found.values.nbytes > self.most:
            return
        self._kept[key] = found
        self._bytes += found.values.nbytes
        while self._bytes > self.most:
            _, gone = self._kept.popitem(last=False)
            self._bytes -= gone.values.nbytes
