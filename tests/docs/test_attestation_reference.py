"""The reference of attestation: every format, key, word, default, reason and status; and the calls in it are calls."""

import re
from typing import Annotated, Literal, get_args, get_origin

import click
import msgspec
import pytest

from potluck.api.machine.evidence import Held
from potluck.cli.tee import command
from potluck.tee.attestation.evidence import FORMATS
from potluck.tee.attestation.policy import AzureSnp, Policy, Snp, Tcb
from potluck.tee.attestation.verdict import Code, Reason, Verdict
from support.docs.pages import DOCS, fences, rows, ticks

PAGE = DOCS / "reference" / "attestation.md"
WORDS = {str: "text", int: "whole number", bool: "true or false"}


def documented():
    """Key -> its row; `a0` ... `a15` stands for all of them."""
    found = {}
    for row in rows(PAGE):
        names = ticks(row[0])
        if len(row) != 4 or not names or names[0] in FORMATS:
            continue
        if len(names) == 2:
            stem, last = re.match(r"(.*?)(\d+)$", names[1]).groups()
            names = [f"{stem}{number}" for number in range(int(last) + 1)]
        found |= dict.fromkeys(names, row)
    return found


def plain(kind):
    kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    parts = [part for part in get_args(kind) if part is not type(None)]
    return parts[0] if type(None) in get_args(kind) and len(parts) == 1 else kind


def keys():
    """(dotted key, field) of all that a policy may have; [az-snp-vtpm] has those of [snp], too."""
    for top in msgspec.structs.fields(Policy):
        if not (isinstance(top.type, type) and issubclass(top.type, msgspec.Struct)):
            yield top.encode_name, top
            continue
        for field in msgspec.structs.fields(top.type):
            if top.type is not AzureSnp or field.name not in Snp.__struct_fields__:
                yield f"{top.encode_name}.{field.name}", field


def takes(kind):
    kind = plain(kind)
    if get_origin(kind) is Literal:
        return {str(word) for word in get_args(kind)}
    if get_origin(kind) is tuple:
        inner = takes(get_args(kind)[0])
        return inner if isinstance(inner, set) else f"list of {inner}s"
    if get_origin(kind) is dict:
        return "table of lists"
    return WORDS.get(kind, "table")


def default_of(field):
    if field.required:
        return "**required**"
    if field.default is None:
        return "–"
    if isinstance(field.default, tuple):
        return ", ".join(f"`{one}`" for one in field.default) or "empty"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def test_every_key_is_documented_and_nothing_else():
    assert set(documented()) == {name for name, _ in keys()}


@pytest.mark.parametrize(("name", "field"), list(keys()), ids=lambda one: one if isinstance(one, str) else "")
def test_a_key_takes_what_the_page_says_and_has_that_default(name, field):
    _, kind, default, meaning = documented()[name]
    assert (set(ticks(kind)) or kind) == takes(field.type)
    assert kind.startswith("list of") == (get_origin(plain(field.type)) is tuple)
    assert default == default_of(field)
    assert meaning


def test_every_part_of_a_tcb_is_named():
    assert set(Tcb.__struct_fields__) <= set(ticks(documented()["snp.min_tcb"][3]))


def test_every_format_is_documented():
    said = [ticks(row[0])[0] for row in rows(PAGE) if len(row) == 4 and ticks(row[0]) and ticks(row[0])[0] in FORMATS]
    assert said == list(FORMATS)


def test_every_reason_is_documented_and_nothing_else():
    said = [ticks(row[0])[0] for row in rows(PAGE) if len(row) == 3 and ticks(row[0])]
    assert said == [code.value for code in Code]


def test_the_calls_on_the_page_are_calls():
    lines = [line for _, _, body in fences(PAGE) for line in body.replace("\\\n", " ").splitlines()]
    assert len(lines) == 3
    for line in lines:
        name, verb, word, *words = line.split()
        assert (name, verb) == ("potluck", "tee")
        known = {
            one for param in command.commands[word].params for one in param.opts if isinstance(param, click.Option)
        }
        assert {one for one in words if one.startswith("-")} <= known


def section(page, name):
    parts = {part.split("\n", 1)[0].strip(): part for part in page.read_text(encoding="utf-8").split("\n## ")}
    return set(ticks(parts[name]))


def test_every_key_of_the_json_is_documented():
    said = section(DOCS / "reference" / "json.md", "tee")
    verdict = Verdict("snp", (Reason(Code.AGE, "a", "b"),), {}, ("c",), "d").document()
    reason = verdict["reasons"][0]
    held = Held(Policy(version=1, formats=()), "sha256:", "", [], "text").document()
    assert set(verdict) | set(reason) | set(held) <= said
