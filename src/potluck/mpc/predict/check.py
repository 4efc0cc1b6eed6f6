"""What of a plan or a model `share` cannot score, and what a prediction sends."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from potluck.core.plan import Plan
from potluck.mpc.predict.scale import DEEPEST, WIDEST
from potluck.mpc.replicated import PARTIES, TWO, width
from potluck.mpc.share.check import who_computes

NUMBERS = 1 << 24
"""The most numbers of all rows together, or of their scores: 128 MB in a letter."""
WEIGHTS = 1 << 22
"""The most numbers of a model, which are all compared in secret."""
LETTERS = 28 << 10
"""Bytes of keys, promises and certificates, about."""


def check(plan: Plan) -> list[str]:
    """What of the plan `share` cannot keep; each line says what is wrong, then ". hint: " and what to do."""
    if plan.federation.server == "lying":
        what = "share needs parties that follow the protocol, the coordinator among them"
        return [f'{what}. hint: protect.with = "he", or trust the server: federation.server = "curious"']
    return who_computes(plan, (PARTIES, TWO))


def warnings(plan: Plan) -> Iterator[str]:
    """What to mind of who computes."""
    if len(plan.compute) == TWO:
        yield (
            "protect.compute: two compute parties take up to ten times as long as three (CHEETAH in place of ABY3). "
            "hint: name a third, where there is one"
        )


def problems(widths: Sequence[int], rows: int) -> list[str]:
    """What keeps such a model from being scored; each line says what, then ". hint: " and what to do."""
    wrong = []
    if max(widths) > WIDEST or len(widths) > DEEPEST + 1:
        wrong.append(f"a layer of over {WIDEST} numbers, or over {DEEPEST} layers. hint: train a smaller network")
    if _weights(widths) > WEIGHTS:
        wrong.append(f"{_weights(widths)} weights, share carries {WEIGHTS}. hint: train a smaller network")
    if rows * max(widths) > NUMBERS:
        what = f"{rows} rows are {rows * max(widths)} numbers, share carries {NUMBERS} in a run"
        wrong.append(f"{what}. hint: predict.max_rows = {max(1, NUMBERS // max(widths))}")
    return wrong


def traffic(widths: Sequence[int], rows: int, count: int = PARTIES) -> tuple[int, int, int]:
    """Bytes of (the model and all keys, rows, scores), about, where `count` compute. The part that is no seed travels
    to each who holds it: of three twice.

    What crosses the engines' own link is not in it: see docs/concepts/prediction-share.md.
    """
    word = width(count)
    return LETTERS + word * _weights(widths), word * rows * widths[0], count * word * rows * widths[-1]


def _weights(widths: Sequence[int]) -> int:
    return sum((before + 1) * after for before, after in pairwise(widths))
