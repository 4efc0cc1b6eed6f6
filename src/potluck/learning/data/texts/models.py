"""What finds tokens in a text: WordPiece, BPE, Unigram and WordLevel, with their vocabularies.

Each number of a vocabulary is looked at, since the library indexes with them. BPE without dropout: what a text becomes
is the same each time.
"""

import math
from collections.abc import Callable

from potluck.learning.data.texts.steps import ID, MOST_VOCABULARY
from potluck.learning.data.texts.table import Check, Form, Part, Table, items, perhaps, table, text, truth, whole, wrong

MOST_SCORED = 4 << 20
"""Bytes of Unigram's tokens together: the library takes some 350 bytes for each."""
LONGEST_WORD = 200
"""Letters of a word that WordPiece looks at: it tries each of its pieces."""


def _vocabulary(value: object, at: str) -> object:
    """Tokens and their places, each its own. Raises DataError."""
    given = table(value, at)
    if not 1 <= len(given) <= MOST_VOCABULARY:
        raise wrong(f"has {len(given)} tokens", at, f"1 to {MOST_VOCABULARY:,}")
    for token, place in given.items():
        text(token, at)
        ID(place, at)
    if len(set(given.values())) < len(given):
        raise wrong("has two tokens in one place", at)
    return given


def _scored(value: object, at: str) -> object:
    """Tokens and their scores. Raises DataError."""
    found: list[object] = []
    tokens = set()
    for one in items(value, at, MOST_VOCABULARY):
        pair = items(one, at, 2)
        score = pair[1] if len(pair) == 2 else None
        if type(score) not in (int, float) or not math.isfinite(float(score)) or abs(float(score)) > 1e9:  # type: ignore[arg-type]
            raise wrong("has a token without a score", at)
        found.append([text(pair[0], at), float(score)])  # type: ignore[arg-type]  # it is a number
        tokens.add(pair[0])
    if not found or len(tokens) < len(found):
        raise wrong("is empty, or has a token twice", at)
    size = sum(len(str(token).encode()) for token in tokens)
    if size > MOST_SCORED:
        raise wrong(f"has tokens of {size:,} bytes", at, f"at most {MOST_SCORED:,}: the library makes a table of each")
    return found


def _merges(value: object, at: str) -> object:
    """Pairs of tokens. Raises DataError."""
    found = []
    for one in items(value, at, MOST_VOCABULARY):
        pair = one.split(" ") if isinstance(one, str) else items(one, at, 2)
        if len(pair) != 2:
            raise wrong("has a merge that is not of two tokens", at)
        found.append([text(pair[0], at), text(pair[1], at)])
    return found


def _none(value: object, at: str) -> object:
    """Raises DataError: it draws."""
    if value not in (None, 0, 0.0) or isinstance(value, bool):
        raise wrong("draws, so that a text would become another each time", at, "null")
    return None


def _known(key: str) -> Callable[[Table, str], None]:
    """What stands for unknown words has to be among the tokens."""

    def check(found: Table, at: str) -> None:
        held, unknown = found["vocab"], found[key]
        assert isinstance(held, dict)
        if unknown is not None and unknown not in held:
            raise wrong(f"{key} is not among its tokens", at)

    return check


def _merged(found: Table, at: str) -> None:
    """Raises DataError: a merge of tokens that are not there, or a token for unknown letters that is not."""
    _known("unk_token")(found, at)
    held, merges, prefix = found["vocab"], found["merges"], str(found.get("continuing_subword_prefix") or "")
    assert isinstance(held, dict)
    assert isinstance(merges, list)
    for first, second in merges:
        # The library cuts off as many bytes, whatever they are: half a letter that is left ends the process.
        if not second.startswith(prefix):
            raise wrong("has a merge whose second token lacks continuing_subword_prefix", at)
        if first not in held or second not in held or first + second.removeprefix(prefix) not in held:
            raise wrong("has a merge of tokens that are not in vocab", at)


def _placed(found: Table, at: str) -> None:
    held, place = found["vocab"], found["unk_id"]
    assert isinstance(held, list)
    if type(place) is not int or not 0 <= place < len(held):
        raise wrong("unk_id is the place of no token", at, "Unigram needs a token for unknown letters")


MAYBE: Check = perhaps(text)
MODELS = Part(
    "model",
    {
        "WordPiece": Form(
            {
                "unk_token": text,
                "continuing_subword_prefix": text,
                "max_input_chars_per_word": whole(1, LONGEST_WORD),
                "vocab": _vocabulary,
            },
            also=_known("unk_token"),
        ),
        "BPE": Form(
            {
                "dropout": _none,
                "unk_token": MAYBE,
                "continuing_subword_prefix": lambda value, at: None if value == "" else MAYBE(value, at),
                "end_of_word_suffix": lambda value, at: None if value == "" else MAYBE(value, at),
                "fuse_unk": truth,
                "byte_fallback": truth,
                "ignore_merges": truth,
                "vocab": _vocabulary,
                "merges": _merges,
            },
            frozenset({"dropout", "byte_fallback", "ignore_merges"}),
            also=_merged,
        ),
        "Unigram": Form(
            {"unk_id": perhaps(whole(0, MOST_VOCABULARY - 1)), "byte_fallback": truth, "vocab": _scored},
            frozenset({"byte_fallback"}),
            also=_placed,
        ),
        "WordLevel": Form({"unk_token": text, "vocab": _vocabulary}, also=_known("unk_token")),
    },
)
