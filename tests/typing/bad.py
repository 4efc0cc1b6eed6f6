"""Ways around the one way through. Each marked line must be refused by mypy, with the code and words that it names."""

from potluck.core.fixed import add, encode
from potluck.core.party import Draw
from potluck.core.rounds import Credentials, Half, Sum, Terms
from potluck.core.stages import Bounded, Clip, Encoded, Guarded, Opened, Privacy, Range, Release, Settled, Update
from potluck.dp.mechanism import Exact, Noised
from potluck.dp.reveal import reveal


def encode_without_bounding(update: Update) -> Guarded:
    return Guarded(encode(update).words)  # refused: arg-type "Update"; expected "Bounded


def noise_without_a_clip(noise: Noised, ranged: Encoded[Range], draw: Draw) -> Guarded:
    return noise.at_site(ranged, draw)  # refused: arg-type "Encoded[Range]"; expected "Encoded[Clip]"


def noise_after_a_range_check(noise: Noised, check: Exact, update: Update, draw: Draw) -> Guarded:
    return noise.at_site(encode(check.clip(update)), draw)  # refused: arg-type "Bounded[Range]"


def exact_after_a_clip(exact: Exact, clipped: Encoded[Clip], draw: Draw) -> Guarded:
    return exact.at_site(clipped, draw)  # refused: arg-type "Encoded[Clip]"; expected "Encoded[Range]"


def noise_before_encoding(noise: Noised, clipped: Bounded[Clip], draw: Draw) -> Guarded:
    return noise.at_site(clipped, draw)  # refused: arg-type "Bounded[Clip]"; expected "Encoded[Clip]"


def reveal_what_is_not_settled(noise: Noised, opened: Opened) -> Release:
    return reveal(opened, noise.grid)  # refused: arg-type "Opened"; expected "Settled"


def send_without_noise(protection: Sum, terms: Terms, me: Credentials, encoded: Encoded[Clip]) -> Half[None]:
    yield from protection.give(terms, me, encoded)  # refused: arg-type "Encoded[Clip]"; expected "Guarded"


def send_rows(protection: Sum, terms: Terms, me: Credentials, update: Update) -> Half[None]:
    yield from protection.give(terms, me, update)  # refused: arg-type "Update"; expected "Guarded"


def show_what_is_not_released(settled: Settled) -> Release:
    return settled  # refused: return-value got "Settled", expected "Release"


def add_up_two_kinds(clipped: Encoded[Clip], ranged: Encoded[Range], noise: Noised) -> Encoded[Clip]:
    return add([clipped, ranged], noise.grid, noise.limit)  # refused: list-item "Encoded[Range]"; expected


def call_no_noise_a_clip(exact: Exact) -> Privacy[Clip]:
    return exact  # refused: return-value expected "Privacy[Clip]"


def noise_without_randomness(noise: Noised, clipped: Encoded[Clip]) -> Guarded:
    return noise.at_site(clipped)  # refused: call-arg Missing positional argument "draw"


def seed_the_noise(noise: Noised, clipped: Encoded[Clip]) -> Guarded:
    return noise.at_site(clipped, 42)  # refused: arg-type "int"; expected "Callable[[int], bytes]"
