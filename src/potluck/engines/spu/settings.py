"""What every party of a computation must have set alike: protocol, ring, fixed point. Here it is set, once.

The ring is Z mod 2^64. Integers lie in it as they are; a real number x as the integer nearest to x * 2^18. A product
of two reals is 2^36 times too large before it is cut, so real products, and sums of them, must stay below 2^27;
`LARGEST` leaves a factor of two.
"""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from typing import Any, TypeVar

from spu import libspu

from potluck.engines.frames import OpError

FRACTION = 18
LARGEST = 1 << 26
"""Real products, and sums of them, stay below this."""
COMPUTE: Mapping[str, int] = {"ABY3": 3, "CHEETAH": 2}
"""Protocols that compute on shares, and for how many parties."""
INTERSECT: Mapping[str, int] = {"RR22": 2, "ECDH": 2}
"""Protocols that intersect sets of keys."""
DEALERS = ("SEMI2K", "SECURENN", "REF2K")
"""Protocols of the library that trust a dealer, or one party, or nobody's secrecy."""
LOST = ("timeout", "connect", "send failed", "failed to send", "brpc", "rpc")
"""Words in the library's errors that mean another party."""
T = TypeVar("T")


def header(body: bytes) -> Mapping[str, Any]:
    """The JSON object that begins a request. Raises OpError: it is none, or longer than 1 MiB."""
    try:
        found = json.loads(body) if len(body) <= 1 << 20 else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise OpError("a request begins with a JSON object")
    return found


def natural(about: Mapping[str, Any], key: str, least: int, most: int) -> int:
    """A whole number of a header. Raises OpError: missing, no whole number, or beyond these limits."""
    value = about.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise OpError(f"{key} must be a whole number from {least} to {most}")
    return value


def parties(name: object, known: Mapping[str, int]) -> int:
    """How many parties the protocol `name` has. Raises OpError, by name: one that is refused, or unknown."""
    if isinstance(name, str) and name in known:
        return known[name]
    if name in DEALERS:
        raise OpError(f"the protocol {name} is refused: it needs a trusted dealer or hides nothing")
    raise OpError(f"no such protocol here; there are {', '.join(known)}")


def config(protocol: str) -> libspu.RuntimeConfig:
    """The settings of a runtime. Raises OpError: a protocol that is refused, or unknown."""
    parties(protocol, COMPUTE)
    made = libspu.RuntimeConfig(getattr(libspu.ProtocolKind, protocol), libspu.FieldType.FM64)
    made.fxp_fraction_bits = FRACTION
    made.fxp_exp_mode = libspu.RuntimeConfig.ExpMode.EXP_PADE  # 50 times closer than the default, at a quarter more
    return made


def within(seconds: float, late: str, work: Callable[[], T]) -> T:
    """What `work` gives, which waits for other parties. Raises OpError: `late`, not in time; or the library failed.

    The library's own words are dropped: they may quote addresses and values.
    """
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(work).result(seconds)
    except TimeoutError:
        raise OpError(late) from None
    except RuntimeError as error:  # the library's
        lost = any(word in str(error) for word in LOST)
        raise OpError(late if lost else "the library failed") from None
    finally:
        pool.shutdown(wait=False)
