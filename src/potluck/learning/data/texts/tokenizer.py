"""A tokenizer: a file of the Hugging Face `tokenizers` library, known by its SHA-256.

https://huggingface.co/docs/tokenizers. The file is hostile input. It is read strictly (`table`, `steps`, `models`), and
the library is given what was understood, written anew: its decoder and what it says of truncation are not looked at.
What comes out of it are places of tokens, each below `vocabulary`, which is looked at again for each text.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import UsageError
from potluck.core.slices import digest_of
from potluck.core.visible import visible
from potluck.learning.data.texts.models import MODELS
from potluck.learning.data.texts.steps import ID, NORMALIZERS, POST_PROCESSORS, PRE_TOKENIZERS
from potluck.learning.data.texts.table import Form, Table, items, loads, table, text, truth, wrong
from potluck.learning.graph.steps import INSTALL

if TYPE_CHECKING:
    import tokenizers

KEYS = {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder"}
"""Beside the model."""
MOST_ADDED, MOST_ADDED_LETTERS = 1 << 14, 1 << 20
"""Added tokens, and their letters together, as many as the normalizer may make of them: the library makes one automaton
of all."""
LETTERS = 32
"""Of a text, a token that the plan asks for: what stands behind them is not looked at."""
PADS = ("[PAD]", "<pad>")
"""Tokens that fill up where the file names none; then the token in place 0 does."""
PANIC = "PanicException"
"""What a fault of the library itself is called: it is no Exception of Python's."""
_ADDED = Form(
    {
        "id": ID,
        "content": text,
        "single_word": truth,
        "lstrip": truth,
        "rstrip": truth,
        "normalized": truth,
        "special": truth,
    }
)


@dataclass(frozen=True, eq=False)
class Tokenizer:
    """content: the bytes of its file; digest: `sha256:...` of them; model: the word of its type; vocabulary: what the
    places of its tokens stay below; pad: the place of the one that fills up."""

    content: bytes = field(repr=False)
    digest: str
    model: str
    vocabulary: int
    pad: int
    own: int
    """Tokens that it puts around each text."""
    _understood: str = field(repr=False)

    @cached_property
    def _library(self) -> "tokenizers.Tokenizer":
        made: tokenizers.Tokenizer = _made(self._understood)
        return made

    def tokens(self, cell: str, length: int) -> tuple[NDArray[np.uint32], bool]:
        """The places of a text's tokens, at most `length`, and whether there were more. Raises DataError: the library
        fails at it."""
        short = cell[: LETTERS * length]
        made = self._library
        if made.truncation is None or made.truncation["max_length"] != length:
            made.enable_truncation(length)
        with _as_our_error():
            found = made.encode(short)
            places = np.asarray(found.ids, np.uint32)
            cut = len(short) < len(cell) or bool(found.overflowing)
        if len(places) > length or (len(places) and int(places.max()) >= self.vocabulary):
            raise wrong("gives a place that no token has", "")
        return places, cut


def ready() -> None:
    """Raises UsageError: the library is missing."""
    if find_spec("tokenizers") is None:
        raise UsageError("columns of texts need tokenizers, which is not installed", hint=INSTALL)


def read(content: bytes) -> Tokenizer:
    """The tokenizer of a file's bytes. Raises DataError: it is none, or does what none may do; UsageError: the library
    is missing."""
    ready()
    given = loads(content)
    for key in given:
        if key not in KEYS | {"model"}:
            raise wrong(f"{visible(key[:80])!r} is no key that is known", "")
    model = MODELS.read(given.get("model"))
    if model is None:
        raise wrong("has no model", "")
    normalizer = NORMALIZERS.read(given.get("normalizer"))
    added = [_ADDED.read(table(one, "added_tokens"), "added_tokens") for one in _added(given)]
    letters = NORMALIZERS.growth(normalizer) * sum(len(str(one["content"])) for one in added)
    if letters > MOST_ADDED_LETTERS:
        raise wrong(f"may become {letters:,} letters", "added_tokens", f"at most {MOST_ADDED_LETTERS:,}")
    understood = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": PRE_TOKENIZERS.read(given.get("pre_tokenizer")),
        "post_processor": POST_PROCESSORS.read(given.get("post_processor")),
        "decoder": None,
        "model": model,
    }
    # The library keeps the places of tokens that it knows and gives others the next ones: so they are asked for.
    written = json.dumps(understood)
    made = _made(written)
    with _as_our_error():
        held: dict[str, int] = made.get_vocab(with_added_tokens=True)
        own = made.num_special_tokens_to_add(False)
        normal, some = made.normalizer, [one["content"] for one in added if one["normalized"]]
        left = [normal is None or bool(normal.normalize_str(one)) for one in some]
    if not all(left):  # It would be found between any two bytes, where the library fails and says in which letter.
        raise wrong("has a token of which the normalizer leaves nothing", "added_tokens", "normalized: false")
    vocabulary = 1 + max([*held.values(), *_named(understood["post_processor"])])
    pad = _pad(given.get("padding"), held)
    if pad >= vocabulary:
        raise wrong("fills up with a place that no token has", "padding.pad_id")
    return Tokenizer(content, digest_of(content), str(model["type"]), vocabulary, pad, own, written)


def _added(given: Table) -> list[object]:
    return items(given.get("added_tokens", []), "added_tokens", MOST_ADDED)


def _pad(padding: object, held: dict[str, int]) -> int:
    """The place of what fills up: the file's own, else that of a token of a usual name, else 0."""
    if padding is not None:
        found = ID(table(padding, "padding").get("pad_id", 0), "padding.pad_id")
        assert isinstance(found, int)
        return found
    return next((held[name] for name in PADS if name in held), 0)


def _named(processor: object) -> list[int]:
    """Places that a post-processor puts into texts, whatever the vocabulary says."""
    if isinstance(processor, dict):
        mine = [one for key in ("sep", "cls") for one in processor.get(key, [])[1:]]
        mine += processor.get("ids", [])
        return mine + [place for one in processor.values() for place in _named(one)]
    return [place for one in processor for place in _named(one)] if isinstance(processor, list) else []


def _made(understood: str) -> Any:
    import tokenizers

    with _as_our_error():
        return tokenizers.Tokenizer.from_str(understood)


@contextmanager
def _as_our_error() -> Iterator[None]:
    """Errors of the library without their words, which may quote a text."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ == PANIC:
            hint = "a tokenizer.json that it can read"
            raise wrong(f"the library fails ({type(error).__name__})", "", hint) from None
        raise
