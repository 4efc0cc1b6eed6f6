"""What a tokenizer may do to a text before and after its model: normalizers, pre-tokenizers, post-processors.

Names and fields are those of the `tokenizers` library. Regular expressions are those of a list, compared letter by
letter: one that goes back and forth over a text could take hours for one cell. What replaces a text is no longer than
that, and of each step it is known how many letters it may make of one: a chain of them is refused where it could make
more than MOST_GROWTH. `Precompiled` (a binary table of letters) is left out.
"""

from collections.abc import Mapping

from potluck.learning.data.texts.table import (
    MOST_MEMBERS,
    Check,
    Form,
    Part,
    Table,
    items,
    letter,
    maybe_empty,
    perhaps,
    table,
    text,
    truth,
    whole,
    word,
    wrong,
)

MOST_VOCABULARY = 1 << 20
"""Tokens, and what their places stay below."""
_CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PATTERNS = (
    # GPT-2, RoBERTa
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    # cl100k, Llama 3
    _CL100K.format(r"\p{N}{1,3}"),
    # Qwen 2
    _CL100K.format(r"\p{N}"),
    r" {2,}",
    r"\s+",
    r"\s",
    r"[\r\n]",
    r"\d",
)
"""Regular expressions that are known: each takes a time that grows with the text's length alone."""
ID = whole(0, MOST_VOCABULARY - 1)
BEHAVIOUR = word("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")


def pattern(value: object, at: str) -> object:
    """A text to look for, or a regular expression of the list. Raises DataError."""
    given = table(value, at)
    if set(given) == {"String"}:
        return {"String": text(given["String"], at)}
    if set(given) == {"Regex"} and given["Regex"] in PATTERNS:
        return dict(given)
    hint = f"a plain text (String), or one of {len(PATTERNS)} known ones: potluck docs encoding lists them"
    raise wrong("is a regular expression that is not known", at, hint)


def _shorter(found: Table, at: str) -> None:
    """Raises DataError: what replaces a text is longer."""
    given = found["pattern"]
    assert isinstance(given, dict)
    if len(str(found["content"])) > len(given.get("String", " ")):
        raise wrong("replaces a text by a longer one", at, "a text could grow without end")


_LONGEST = {"NFC": 3, "NFD": 4, "NFKC": 18, "NFKD": 18, "Nmt": 1, "Lowercase": 2, "StripAccents": 1, "ByteLevel": 4}
NORMALIZERS = Part(
    "normalizer",
    {
        "BertNormalizer": Form(
            {
                "clean_text": truth,
                "handle_chinese_chars": truth,
                "strip_accents": perhaps(truth),
                "lowercase": truth,
            },
            grows=8,
        ),
        # The longest that Unicode has: U+1D160, U+1F82, U+FDFA, U+0130. ByteLevel: a letter a byte.
        **{name: Form(grows=most) for name, most in _LONGEST.items()},
        "Strip": Form({"strip_left": truth, "strip_right": truth}),
        "Replace": Form({"pattern": pattern, "content": maybe_empty}, also=_shorter),
        "Prepend": Form({"prepend": letter}, grows=2),
    },
    "normalizers",
    {"Precompiled": "a binary table is not read; NFKC in its place does nearly the same"},
)
PRE_TOKENIZERS = Part(
    "pre_tokenizer",
    {
        **{name: Form() for name in ("BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts")},
        # These two may put a letter before each piece, and pieces may be of one.
        "ByteLevel": Form(
            {"add_prefix_space": truth, "trim_offsets": truth, "use_regex": truth}, frozenset({"use_regex"}), grows=8
        ),
        "Metaspace": Form(
            {"replacement": letter, "prepend_scheme": word("always", "never", "first"), "split": truth},
            frozenset({"split"}),
            grows=2,
        ),
        "Punctuation": Form({"behavior": BEHAVIOUR}),
        "Digits": Form({"individual_digits": truth}),
        "CharDelimiterSplit": Form({"delimiter": letter}),
        "Split": Form({"pattern": pattern, "behavior": BEHAVIOUR, "invert": truth}),
    },
    "pretokenizers",
)


def _special(value: object, at: str) -> object:
    """A token and its place. Raises DataError."""
    found = items(value, at, 2)
    if len(found) != 2:
        raise wrong("is no token and its place", at)
    return [text(found[0], at), ID(found[1], at)]


def _template(value: object, at: str) -> object:
    """Pieces of a template: special tokens, and the two texts. Raises DataError."""
    found = []
    for one in items(value, at):
        ((kind, given),) = table(one, at).items() if isinstance(one, dict) and len(one) == 1 else [("", {})]
        given = table(given, at)
        if kind not in ("SpecialToken", "Sequence") or set(given) != {"id", "type_id"}:
            raise wrong("has a piece that is neither SpecialToken nor Sequence", at)
        name = text(given["id"], at) if kind == "SpecialToken" else word("A", "B")(given["id"], at)
        found.append({kind: {"id": name, "type_id": whole(0, 15)(given["type_id"], at)}})
    return found


def _specials(value: object, at: str) -> object:
    found = {}
    if len(table(value, at)) > MOST_MEMBERS:
        raise wrong(f"has more than {MOST_MEMBERS} tokens", at)
    for name, one in table(value, at).items():
        given = table(one, at)
        if set(given) != {"id", "ids", "tokens"} or given["id"] != name:
            raise wrong("has a token without id, ids and tokens, or under another name", at)
        ids, tokens = (items(given[key], at) for key in ("ids", "tokens"))
        if not ids or len(ids) != len(tokens):
            raise wrong("has a token of so many ids and another number of tokens", at)
        found[text(name, at)] = {
            "id": name,
            "ids": [ID(place, at) for place in ids],
            "tokens": [text(token, at) for token in tokens],
        }
    return found


def _fits(found: Table, at: str) -> None:
    """Raises DataError: a template lacks its text or has it twice, or a token of it is not among the special ones."""
    for key, texts in (("single", ["A"]), ("pair", ["A", "B"])):
        pieces = found[key]
        assert isinstance(pieces, list)
        assert isinstance(found["special_tokens"], dict)
        if sorted(one["Sequence"]["id"] for one in pieces if "Sequence" in one) != texts:
            raise wrong(f"{key} does not hold each text once", at)
        if any(one["SpecialToken"]["id"] not in found["special_tokens"] for one in pieces if "SpecialToken" in one):
            raise wrong(f"{key} names a token that is not among special_tokens", at)


_ENDS: Mapping[str, Check] = {"sep": _special, "cls": _special}
POST_PROCESSORS = Part(
    "post_processor",
    {
        "BertProcessing": Form(_ENDS),
        "RobertaProcessing": Form({**_ENDS, "trim_offsets": truth, "add_prefix_space": truth}),
        "ByteLevel": Form(
            {"add_prefix_space": truth, "trim_offsets": truth, "use_regex": truth}, frozenset({"use_regex"})
        ),
        "TemplateProcessing": Form({"single": _template, "pair": _template, "special_tokens": _specials}, also=_fits),
    },
    "processors",
)
