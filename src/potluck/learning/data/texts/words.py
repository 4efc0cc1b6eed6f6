"""What an owner is told of a plan's texts: by which tokenizer, and how long."""

from potluck.core.plan import Plan
from potluck.learning.data.encode import encoding, worded
from potluck.learning.data.texts.worded import tokenizers_of


def said(plan: Plan) -> str:
    """A sentence without its point; empty of a plan without texts. Of a tokenizer that is not here its hash alone."""
    held, found = tokenizers_of(plan), []
    for one in worded(encoding(plan)):
        digest = one.tokenizer or "a tokenizer that is not here"
        made = held.get(digest)
        more = "" if made is None else f" ({made.model}, {made.vocabulary:,} tokens, filled up with token {made.pad})"
        found.append(f"{one.name} is a text, cut to its first {one.length:,} tokens by {digest}{more}")
    return "; ".join(found)
