"""A policy's TOML -> `Policy`, strictly: unknown keys and words, values of the wrong length and numbers out of range
are errors that name the file and the key. Hex may be in capitals; it is kept in small letters.

It checks form alone: a policy that can accept nothing is a good one.
"""

import base64
import binascii
import tomllib
from collections.abc import Mapping
from typing import TypeVar, get_args

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

from potluck.core.bounds import Bounds, outside
from potluck.core.errors import UsageError
from potluck.core.strict import Strict
from potluck.tee.attestation.evidence import Format
from potluck.tee.attestation.policy import Policy
from potluck.tee.attestation.verdict import short

S = TypeVar("S", bound=msgspec.Struct)
TABLES: dict[str, str] = {name.replace("-", "_"): name for name in get_args(Format)}
"""Attributes of a policy that are a format's table, and the table's name."""
SNP = {"measurements": (48,), "host_data": (32,), "id_key_digests": (48,), "author_key_digests": (48,)}
LENGTHS: dict[str, dict[str, tuple[int, ...]]] = {
    "snp": SNP | {"chip_ids": (64, 8)},
    "az_snp_vtpm": SNP | {"chip_ids": (64, 8), "pcrs": (32, 48, 64, 20)},
    "tdx": {
        **dict.fromkeys(("mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "mrconfigid", "mrowner", "mrseam"), (48,)),
        "xfam": (8,),
        "ppids": (16,),
    },
    "sgx": {"mrenclave": (32,), "mrsigner": (32,), "ppids": (16,)},
    "nitro": {f"pcr{number}": (48,) for number in range(16)},
    "tpm": {"pcrs": (32, 48, 64, 20)},
    "nvidia_gpu": {"measurements": (48,)},
    "simulated": {"measurements": (32,)},
}
"""Bytes of what a list of hex may hold."""
REGISTERS = range(24)


def parse(text: str, where: str) -> Policy:
    """The policy that a text says. where: its file, for messages. Raises UsageError at the first key that is wrong."""
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        words = str(error)[:200] if isinstance(error, tomllib.TOMLDecodeError) else "numbers or lists beyond all bounds"
        raise UsageError(f"not TOML: {words}", where=where, hint="texts need quotes, keys need `=`") from None
    policy = Strict(where, UsageError, shown=_shown).struct(Policy, tables)
    checked = {name: _table(getattr(policy, name), name, table, where) for name, table in TABLES.items()}
    for line in outside(policy, Bounds):
        what, _, hint = line.partition(". hint: ")
        raise UsageError(what, where=where, hint=hint)
    return msgspec.structs.replace(policy, **checked)


def _table(table: S, name: str, shown: str, where: str) -> S:
    """A format's table with its lists checked and in small letters."""
    found: dict[str, object] = {}
    for key, value in msgspec.structs.asdict(table).items():
        sizes = LENGTHS[name].get(key)
        if sizes is not None and isinstance(value, Mapping):
            found[key] = _registers(value, f"{shown}.{key}", sizes, where)
        elif sizes is not None and value is not None:
            found[key] = tuple(_hex(one, f"{shown}.{key}", sizes, where) for one in value)
        elif key == "ak" and value is not None:
            found[key] = tuple(_key(one, f"{shown}.{key}", where) for one in value)
    return msgspec.structs.replace(table, **found)


def _registers(
    value: Mapping[str, tuple[str, ...]], path: str, sizes: tuple[int, ...], where: str
) -> dict[str, object]:
    found: dict[str, object] = {}
    for number, allowed in value.items():
        if number not in {str(one) for one in REGISTERS}:
            hint = f'a register is "0" to "{REGISTERS[-1]}"'
            raise UsageError(f"{path} has no register {_shown(number)}", where=where, hint=hint)
        found[number] = tuple(_hex(one, f"{path}.{number}", sizes, where) for one in allowed)
    return found


def _hex(text: str, path: str, sizes: tuple[int, ...], where: str) -> str:
    lengths = " or ".join(str(2 * size) for size in sizes)
    small = text.strip().lower()
    hint = f"{lengths} hex digits, without 0x or spaces between"
    if not small.isascii() or not all(letter in "0123456789abcdef" for letter in small):
        raise UsageError(f"{path} has {_shown(text)}, which is not hex", where=where, hint=hint)
    if len(small) not in {2 * size for size in sizes}:
        what = f"{path} has {_shown(text)}, which has {len(small)} digits"
        raise UsageError(what, where=where, hint=hint)
    return small


def _key(text: str, path: str, where: str) -> str:
    """An attestation key: base64 of a SubjectPublicKeyInfo, white space left out."""
    small = "".join(text.split())
    try:
        load_der_public_key(base64.b64decode(small, validate=True))
    except (ValueError, TypeError, binascii.Error, UnsupportedAlgorithm):
        hint = "the key in base64, as between the lines of a PEM file (SubjectPublicKeyInfo)"
        raise UsageError(f"{path} has {_shown(text)}, which is no public key", where=where, hint=hint) from None
    return small


def _shown(value: object) -> str:
    """A word of the file as a message may show it: its first and last letters."""
    return ascii(short(value) if isinstance(value, str) else value)[:40]
