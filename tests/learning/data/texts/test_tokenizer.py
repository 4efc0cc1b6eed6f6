"""A tokenizer's file: what is understood of it gives what the library makes of the whole file, and no more is read."""

import json
import unicodedata

import numpy as np
import pytest

pytest.importorskip("tokenizers")
pytest.importorskip("torch")

import tokenizers

from potluck.core.errors import DataError
from potluck.learning.data.texts import steps, tokenizer
from potluck.learning.data.texts.table import MOST_BYTES
from support.files import texts

CELLS = [
    *texts.CORPUS[:5],
    "The Patient  SLEEPS\twell\n\nand über-smiles 123456",
    "unknown: ñandú 漢字 🙂 ﬁ ① don't",
    "[CLS] [PAD] <s> in the text",
    " ",
    "x" * 500,
]


def read(**keys):
    return tokenizer.read(texts.changed(**keys))


@pytest.mark.parametrize("name", list(texts.files()))
@pytest.mark.parametrize("length", [4, 12, 200])
def test_tokens_are_those_of_the_library_with_the_whole_file(name, length):
    content = texts.files()[name]
    ours, theirs = tokenizer.read(content), tokenizers.Tokenizer.from_str(content.decode())
    theirs.enable_truncation(length)
    for cell in CELLS:
        found, cut = ours.tokens(cell, length)
        wanted = theirs.encode(cell[: tokenizer.LETTERS * length])
        assert found.tolist() == wanted.ids
        assert cut == (bool(wanted.overflowing) or len(cell) > tokenizer.LETTERS * length)
        assert len(found) <= length
        assert not len(found) or found.max() < ours.vocabulary


def test_what_a_file_says_of_itself():
    found = {name: tokenizer.read(content) for name, content in texts.files().items()}
    assert [found[name].model for name in found] == ["WordPiece", "BPE", "Unigram", "WordLevel"]
    assert found["wordpiece"].pad == 0  # [PAD]
    assert found["bpe"].pad == 1  # <pad>
    assert found["wordpiece"].own == 2
    assert found["bpe"].own == 0
    assert found["wordpiece"].vocabulary == len(json.loads(texts.files()["wordpiece"])["model"]["vocab"])
    assert read(padding={"pad_id": 3}).pad == 3
    assert read(name="wordlevel", added_tokens=[]).pad == 0


def test_an_added_token_and_one_of_the_post_processor_count_among_the_vocabulary():
    held = len(json.loads(texts.files()["bpe"])["model"]["vocab"])
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    more = read(name="bpe", added_tokens=[{"id": held, "content": "<new>", **plain}])
    assert more.vocabulary == held + 1
    far = {"type": "BertProcessing", "sep": ["<s>", 999], "cls": ["<s>", 0]}
    assert read(post_processor=far).vocabulary == 1000


def test_a_long_cell_is_cut_before_it_is_looked_at():
    one = tokenizer.read(texts.files()["wordpiece"])
    start = "the patient " * 8
    short, cut = one.tokens(start, 4)
    again, more = one.tokens(start + "z" * 3_000_000, 4)
    assert np.array_equal(short, again)
    assert (cut, more) == (True, True)
    assert one.tokens("the", 4)[1] is False


BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
GREEDY = {"pattern": {"Regex": "(a+)+$"}}
ONE = {"Sequence": {"id": "A", "type_id": 0}}
BOTH = [ONE, {"Sequence": {"id": "B", "type_id": 0}}]
ODD = {"SpecialToken": {"id": "x", "type_id": 0}}


def split(**keys):
    return {"pre_tokenizer": {"type": "Split", "behavior": "Isolated", "invert": False, **keys}}


def replaced(pattern, content):
    return {"normalizer": {"type": "Replace", "pattern": pattern, "content": content}}


def words(vocab, unknown="a"):
    return {"model": {"type": "WordLevel", "unk_token": unknown, "vocab": vocab}}


def pairs(**keys):
    none = {"unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False}
    return {"model": {"type": "BPE", **none, "vocab": {"a": 0}, "merges": [], **keys}}


def scored(*vocab, unknown=0):
    return {"model": {"type": "Unigram", "unk_id": unknown, "vocab": list(vocab)}}


def pieces(longest):
    form = {"unk_token": "a", "continuing_subword_prefix": "##", "max_input_chars_per_word": longest}
    return {"model": {"type": "WordPiece", **form, "vocab": {"a": 0}}}


def template(single, pair):
    return {"post_processor": {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": {}}}


def deep(depth):
    inner = {"type": "Sequence", "pretokenizers": []}
    for _ in range(depth - 1):
        inner = {"type": "Sequence", "pretokenizers": [inner]}
    return {"pre_tokenizer": inner}


def chain(key, *steps):
    return {key: {"type": "Sequence", f"{key.replace('_', '')}s": list(steps)}}


PLAIN = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": False}
LONG = replaced({"String": "a"}, "\ufdfa")["normalizer"], {"type": "NFKD"}
DIGITS = {"type": "Split", "behavior": "Isolated", "invert": False, "pattern": {"Regex": r"\d"}}
MARKS = [{"type": "Metaspace", "replacement": str(i), "prepend_scheme": "always", "split": False} for i in range(8)]
BLANKS = {"normalizer": {"type": "Strip", "strip_left": True, "strip_right": True}}
SIXTEEN = {"type": "Sequence", "normalizers": [{"type": "Nmt"}] * 16}


def added(*tokens):
    return {"added_tokens": [{"id": i + 1, "content": token, **PLAIN} for i, token in enumerate(tokens)]}


HOSTILE = {
    "a chain of bytes": (chain("normalizer", *[{"type": "ByteLevel"}] * 4), "256 times as long"),
    "a letter for 18": (chain("normalizer", *LONG, *LONG), "324 times as long"),
    "a mark before each mark": (chain("pre_tokenizer", *[x for one in MARKS for x in (DIGITS, one)]), "256 times"),
    "bytes of bytes": (chain("pre_tokenizer", *[{**BYTES, "use_regex": False}] * 3), "512 times"),
    "steps in sequences": (chain("normalizer", SIXTEEN, SIXTEEN), "32 steps"),
    "a merge that cuts a letter": (
        pairs(continuing_subword_prefix="#", vocab={"a": 0, "\u00e9": 1, "a\u00e9": 2}, merges=["a \u00e9"]),
        "lacks continuing_subword_prefix",
    ),
    "a table of each byte": (scored(*([f"{i:0250}", 0] for i in range(17_000))), "at most 4,194,304"),
    "added tokens that grow": (chain("normalizer", LONG[1]) | added(*(f"{i:0250}" for i in range(300))), "letters"),
    "an added token that is empty": (BLANKS | added("\t"), "leaves nothing"),
    "a regular expression": (split(**GREEDY), "regular expression"),
    "a regular expression that replaces": (replaced({"Regex": "(a|aa)+"}, ""), "regular expression"),
    "a text that grows": (replaced({"String": "a"}, "aa"), "longer"),
    "a binary table": ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}, "binary table"),
    "an unknown step": ({"pre_tokenizer": {"type": "Python", "code": "x"}}, "may not be used"),
    "a key too many": ({"pre_tokenizer": {**BYTES, "more": 1}}, "no key that is known"),
    "a key too few": ({"pre_tokenizer": {"type": "ByteLevel"}}, "lacks"),
    "a word for a truth": ({"pre_tokenizer": {**BYTES, "trim_offsets": "yes"}}, "neither true nor false"),
    "depth": (deep(3), "too deep"),
    "length": ({"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}] * 17}}, "at most 16"),
    "an unknown table": ({"code": "import os"}, "no key that is known"),
    "no model": ({"model": None}, "no model"),
    "a model without a vocabulary": (words({}), "has 0 tokens"),
    "a place that is no number": (words({"a": "0"}), "whole number"),
    "a place that is a truth": (words({"a": True}), "whole number"),
    "a place below zero": (words({"a": -1}), "whole number"),
    "a place far away": (words({"a": 2**31}), "whole number"),
    "two tokens in one place": (words({"a": 0, "b": 0}), "one place"),
    "no unknown token": (words({"a": 0}, "c"), "not among"),
    "an empty token": (words({"a": 0, "": 1}), "1 to 256 letters"),
    "half a letter": (words({"a": 0, "\ud800": 1}), "surrogate"),
    "dropout": (pairs(dropout=0.1), "draws"),
    "a merge of nothing": (pairs(merges=["a b"]), "not in vocab"),
    "a merge of three": (pairs(merges=["a a a"]), "two tokens"),
    "a score that is none": (scored(["a", None]), "without a score"),
    "an endless score": (scored(["a", 1e300]), "without a score"),
    "no unknown letter": (scored(["a", 0], unknown=None), "no token"),
    "a token twice": (scored(["a", 0], ["a", 1]), "twice"),
    "a long word": (pieces(10**9), "whole number"),
    "a template without its text": (template([], BOTH), "each text once"),
    "a template with its text twice": (template([ONE, ONE], BOTH), "each text once"),
    "a template of unknown tokens": (template([ODD, ONE], BOTH), "not among"),
    "filling beyond the vocabulary": ({"padding": {"pad_id": 5000}}, "no token has"),
    "too many added tokens": ({"added_tokens": [{}] * 20_000}, "at most"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_by_what_is_wrong_with_it(case):
    keys, said = HOSTILE[case]
    with pytest.raises(DataError, match=said):
        tokenizer.read(texts.changed(**keys))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no JSON"),
        (b"[]", "no table"),
        (b"\xff\xfe", "no JSON"),
        (b'{"model": NaN}', "no JSON"),
        (b'{"model": 1, "model": 2}', "twice"),
        (b"[" * 100_000, "no JSON"),
        (b'{"model":' * 100_000, "no JSON"),
        (b" " * (MOST_BYTES + 1), "at most"),
    ],
)
def test_bytes_that_are_no_file_are_refused(body, words):
    with pytest.raises(DataError, match=words):
        tokenizer.read(body)


def test_what_is_not_used_of_a_file_is_never_given_to_the_library():
    nonsense = {"type": "Nonsense", "code": ["x"] * 10}
    plain, odd = read(), read(decoder=nonsense, truncation=nonsense)
    assert plain._understood == odd._understood
    assert plain.digest != odd.digest


def damaged(draw, body, other):
    """Bytes of a file with a bit turned, some left out, some there twice, a number in between, or those of another."""
    body = bytearray(body)
    # Where the parts of a file stand, and not only in its long vocabulary.
    start = int(draw.integers(0, len(body) if draw.random() < 0.5 else 900))
    kind = int(draw.integers(0, 5))
    if kind == 0:
        body[start] ^= 1 << int(draw.integers(0, 8))
    elif kind == 1:
        del body[start : start + int(draw.integers(1, 40))]
    elif kind == 2:
        body[start:start] = body[start : start + int(draw.integers(1, 60))]
    elif kind == 3:
        body[start : start + 1] = b"9999999999"
    else:
        place = int(draw.integers(0, len(other)))
        body[start : start + 30] = other[place : place + 30]
    return bytes(body)


WORST = {
    "NFC": "\U0001d160",
    "NFD": "\u1f82",
    "NFKC": "\ufdfa",
    "NFKD": "\ufdfa",
    "Lowercase": "\u0130",
    "ByteLevel": "\U0001f642",
}


@pytest.mark.parametrize("name", WORST)
def test_of_each_normalization_it_is_known_how_many_letters_it_makes_of_one(name):
    step = tokenizers.Tokenizer.from_str(read(normalizer={"type": name})._understood).normalizer
    assert len(step.normalize_str(WORST[name] * 10)) == 10 * steps.NORMALIZERS.forms[name].grows


def test_no_letter_becomes_more_than_what_is_known():
    every = [chr(i) for i in range(0x30000) if unicodedata.decomposition(chr(i)) or chr(i).lower() != chr(i)]
    for name in ("NFC", "NFD", "NFKC", "NFKD"):
        most = max(len(unicodedata.normalize(name, letter)) for letter in every)
        assert most == steps.NORMALIZERS.forms[name].grows
    assert max(len(letter.lower()) for letter in every) == steps.NORMALIZERS.forms["Lowercase"].grows


def test_usual_chains_of_steps_are_read():
    albert = [*[replaced({"String": "``"}, '"')["normalizer"]] * 2, LONG[1], {"type": "StripAccents"}]
    found = read(**chain("normalizer", *albert, {"type": "Lowercase"}))
    assert found.tokens("The patient", 8)[0].tolist()
    assert read(name="bpe", **chain("pre_tokenizer", DIGITS, {**BYTES, "use_regex": False})).tokens("a 12", 8)[0].size


VALUES = (None, True, 0, -1, 1.5, 2**31, 10**30, "", "a", "\ud800", "x" * 300, [], {}, [[]], {"type": "Sequence"})


def mistaken(draw, body, other):
    """A file in which one thing is another: a value that does not belong there, or a part of another file."""
    whole, theirs = json.loads(body), json.loads(other)
    at, key = whole, str(draw.choice(list(whole)))
    while isinstance(at[key], dict | list) and at[key] and draw.random() < 0.8:
        at = at[key]
        keys = list(at) if isinstance(at, dict) else range(len(at))
        key = keys[int(draw.integers(0, len(keys)))]
    at[key] = theirs.get(key) if draw.random() < 0.3 and key in theirs else VALUES[int(draw.integers(0, len(VALUES)))]
    return json.dumps(whole).encode()


def test_no_mutant_of_a_file_crashes_hangs_or_gives_a_place_beyond_the_vocabulary():
    draw, bodies, found = np.random.default_rng(3), list(texts.files().values()), []
    for number in range(500):
        mutant = (damaged if number % 2 else mistaken)(draw, bodies[number % 4], bodies[int(draw.integers(0, 4))])
        try:
            one = tokenizer.read(mutant)
            for cell in CELLS[:7]:
                tokens, _ = one.tokens(cell, 12)
                assert not len(tokens) or tokens.max() < one.vocabulary
            found.append("read")
        except DataError:
            found.append("refused")
    assert len(found) == 500
    assert min(found.count("read"), found.count("refused")) > 20
