"""Exact discrete Gaussian samples a second, from the operating system's entropy, on one thread."""

from collections.abc import Iterator

from harness.measure import Row, in_turns, more
from peers.libraries import OPENDP, opendp_gaussian
from potluck.dp.noise import gaussian
from potluck.secret.random import system

OURS, THEIRS = 1_000_000, 20_000
"""How many at a time: a few tenths of a second each."""


def rows() -> Iterator[Row]:
    """At a narrow, a middling and a wide sigma."""
    zeros = [0] * THEIRS
    for sigma, label in ((4.0, "4"), (100.0, "100"), (2.0**20, "2^20")):
        peer = opendp_gaussian(sigma)
        ours_s, peer_s = in_turns(5, lambda: gaussian(sigma, OURS, system), lambda: peer(zeros))  # noqa: B023
        rates = OURS / ours_s / 1e6, THEIRS / peer_s / 1e6
        yield more(f"discrete Gaussian, sigma={label}", rates, OPENDP, "million samples/s")
