"""Alignments that an owner keeps, so that the same keys are intersected once: a file each, 0600, in one folder.

An alignment is kept under what it is about (owners, key columns, who learns what) and is good for the very keys that
it was made of. It holds hashes of common keys, which whoever can guess keys can recognise: as private as the rows.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec

from potluck.core.errors import UsageError, reason
from potluck.core.schema import readable
from potluck.core.wire import Message
from potluck.members.files import PRIVATE, kept_folder, replace

FOLDER = "aligned"
DIGEST = 16


class Kept(Message, frozen=True):
    """One alignment. keys: over all keys of this owner, in no order; the rest as `mpc.psi.site.Held`."""

    version: int
    keys: bytes
    token: bytes
    size: int | None
    common: bytes | None


@dataclass(frozen=True, slots=True)
class Alignments:
    """One owner's alignments. folder: made when the first is kept."""

    folder: Path

    def find(self, about: bytes, digests: bytes) -> Kept | None:
        """The alignment of these keys; None: there is none, or it is of other keys, or unreadable.

        Raises UsageError: the file cannot be read.
        """
        path = self._path(about)
        try:
            found = msgspec.msgpack.decode(path.read_bytes(), type=readable(Kept))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UsageError(f"cannot be read ({reason(error)})", where=str(path)) from None
        except msgspec.MsgspecError:
            return None
        return found if found.version == 1 and found.keys == over(digests) else None

    def keep(self, about: bytes, digests: bytes, token: bytes, size: int | None, common: bytes | None) -> None:
        """Keep one, in place of an older one about the same. Raises UsageError: it cannot be written."""
        kept_folder(self.folder)
        replace(self._path(about), msgspec.msgpack.encode(Kept(1, over(digests), token, size, common)), PRIVATE)

    def _path(self, about: bytes) -> Path:
        return self.folder / f"{about.hex()}.alignment"


def over(digests: bytes) -> bytes:
    """32 bytes over a set of keys."""
    keys = sorted(digests[start : start + DIGEST] for start in range(0, len(digests), DIGEST))
    return sha256(b"potluck keys 1\n" + b"".join(keys)).digest()
