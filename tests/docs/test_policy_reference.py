"""The reference of the policy documents every key, word and default; the pages' other claims hold."""

import tomllib
from typing import get_args, get_origin

import msgspec
import pytest

from potluck.core.strict import plain, words
from potluck.owner.hours import span
from potluck.owner.policy import Policy, template
from potluck.owner.requests import SHORTEST
from potluck.secret.container import Secret
from support.docs.pages import DOCS, rows, ticks

PAGE = DOCS / "reference" / "policy.md"
DOCUMENTED = {row[0].strip("`"): row for row in rows(PAGE) if len(row) == 4}
WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", Secret: "address"}


def keys(kind, prefix=""):
    """(dotted key, field) of every key that a policy may have."""
    for field in msgspec.structs.fields(kind):
        yield f"{prefix}{field.encode_name}", field
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from keys(field.type, f"{prefix}{field.encode_name}.")
        elif get_origin(field.type) is dict:
            yield from keys(get_args(field.type)[1], f"{prefix}{field.encode_name}.*.")


def takes(kind):
    """What a key takes: a text, or words."""
    kind = plain(kind)
    if known := words(kind):
        return {str(word) for word in known}
    if get_origin(kind) is tuple:
        inner = takes(get_args(kind)[0])
        return inner if isinstance(inner, set) else f"list of {inner}s"
    return "table of tables" if get_origin(kind) is dict else WORDS.get(kind, "table")


def default_of(field):
    if field.required:
        return "**required**"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if value is None:
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return "empty" if value in ((), {}) or isinstance(value, msgspec.Struct) else f"`{value}`"


def test_every_key_of_the_policy_is_documented_and_nothing_else():
    assert set(DOCUMENTED) - {"key"} == {name for name, _ in keys(Policy)}


@pytest.mark.parametrize(("name", "field"), list(keys(Policy)), ids=lambda one: one if isinstance(one, str) else "")
def test_a_key_takes_what_the_page_says_and_has_that_default(name, field):
    _, kind, default, meaning = DOCUMENTED[name]
    assert (set(ticks(kind)) or kind) == takes(field.type)
    assert kind.startswith("list of") == (get_origin(plain(field.type)) is tuple)
    assert default == default_of(field)
    assert meaning


def test_the_hours_of_the_page_and_the_template_are_understood():
    text = PAGE.read_text(encoding="utf-8").replace("\n", " ")
    said = [word.strip('"') for word in ticks(text.split("Hours are")[1].split("A run that")[0])]
    assert len(said) == 5
    assert all(span(word) for word in said)


def test_a_new_sites_policy_has_the_tables_of_the_page():
    assert list(tomllib.loads(template("a"))) == [name for name, _ in keys(Policy) if "." not in name]


def test_the_concept_says_how_short_a_hash_may_be():
    assert f"at least {SHORTEST} letters" in (DOCS / "concepts" / "approval.md").read_text(encoding="utf-8")
