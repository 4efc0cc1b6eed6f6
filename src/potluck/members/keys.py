"""A party's long-term keys on its disk: made where they are used, they never leave.

Three keys, from the system's randomness: Ed25519 signs letters, cards and the federation file (RFC 8032); the hybrid
box key opens what is sealed for this party (`secret.box`); the NATS user key (an nkey: Ed25519 again) answers the
broker's challenge. The last is a key of its own because a hostile broker chooses what it signs.
Files are not encrypted: whoever reads the folder is the party. Root can.
"""

import base64
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import nkeys
from nacl.bindings import crypto_core_ed25519_is_valid_point

from potluck.core.errors import Refused, UsageError
from potluck.core.party import Draw
from potluck.members import files
from potluck.secret.box import SEED, BoxKey
from potluck.secret.container import Secret
from potluck.secret.keys import SigningKey

SIGNING, BOX, USER = "signing.key", "box.key", "broker.nk"


class UserKey:
    """A NATS user's nkey, from a 32-byte seed."""

    def __init__(self, seed: Secret) -> None:
        text = nkeys.encode_seed(seed.expose(), nkeys.PREFIX_BYTE_USER)
        self.seed = Secret(bytes(text))  # the text `SU...` that nats-py takes
        self.public: str = nkeys.from_seed(bytearray(text)).public_key.decode()

    def __repr__(self) -> str:
        return "UserKey(hidden)"


@dataclass(frozen=True)
class Keys:
    """All three. Nothing of it shows in print."""

    signing: SigningKey = field(repr=False)
    box: BoxKey = field(repr=False)
    user: UserKey = field(repr=False)


def make(folder: Path, draw: Draw) -> Keys:
    """New keys in a new folder (0700, files 0600), which is there with all of them or not at all.

    Raises UsageError: there already, or cannot be written.
    """
    if folder.exists():
        files.folder(folder)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of an attempt that was cut off: nobody has seen them
    files.folder(part)
    try:
        for name, size in ((SIGNING, 32), (BOX, SEED)):
            files.create(part / name, base64.b64encode(draw(size)) + b"\n", files.PRIVATE)
        files.create(part / USER, UserKey(Secret(draw(32))).seed.expose(), files.PRIVATE)
        made = load(part)
        part.rename(folder)
        files.settle(folder.parent)
        return made
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def load(folder: Path) -> Keys:
    """The keys in a folder. Raises UsageError: none, or damaged. Refused: other users can reach them."""
    if not folder.is_dir():
        raise UsageError("there are no keys here", where=str(folder), hint="make them with `new`")
    signing = SigningKey(_seed(folder / SIGNING, 32))
    box = BoxKey(_seed(folder / BOX, SEED))
    return Keys(signing, box, UserKey(_user(folder / USER)))


def _seed(path: Path, size: int) -> Secret:
    try:
        raw = base64.b64decode(files.private(path).strip(), validate=True)
    except ValueError:
        raw = b""
    if len(raw) != size:
        raise _damaged(path)
    return Secret(raw)


def _user(path: Path) -> Secret:
    try:
        prefix, raw = nkeys.decode_seed(files.private(path).strip())
    except (nkeys.NkeysError, ValueError):
        raise _damaged(path) from None
    if prefix != nkeys.PREFIX_BYTE_USER or len(raw) != 32:
        raise _damaged(path)
    return Secret(bytes(raw))


def _damaged(path: Path) -> UsageError:
    return UsageError("is no key as this program writes it", where=str(path), hint="put the file back from a backup")


def raw_user(public: str) -> bytes:
    """The 32 bytes behind a user's public nkey `U...`. Raises Refused: not one, or mistyped (it has a checksum)."""
    try:
        raw = base64.b32decode(public)
    except ValueError:
        raw = b""
    body, check = raw[:-2], raw[-2:]
    if len(raw) != 35 or raw[0] != nkeys.PREFIX_BYTE_USER or nkeys.crc16(body).to_bytes(2, "little") != check:
        raise Refused("the broker's user key is malformed")
    return body[1:]


def checked_point(raw: bytes, what: str) -> bytes:
    """The Ed25519 key itself. Raises Refused: no point of the large subgroup.

    With a key of low order anybody's signature holds, so that its owner could deny every letter.
    """
    if len(raw) != 32 or not crypto_core_ed25519_is_valid_point(raw):
        raise Refused(f"{what} is no Ed25519 key")
    return raw
