"""A plan whose tokenizers are at hand: what no plan's JSON or TOML holds, since it names them by their hashes."""

from collections.abc import Mapping

from potluck.core.plan import Plan
from potluck.learning.data.texts.tokenizer import Tokenizer

Tokenizers = Mapping[str, Tokenizer]
"""By digest."""


class Worded(Plan, frozen=True, kw_only=True):
    """See the module."""

    tokenizers: Tokenizers


def tokenizers_of(plan: Plan) -> Tokenizers:
    """Those at hand."""
    return plan.tokenizers if isinstance(plan, Worded) else {}
