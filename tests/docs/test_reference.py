"""The reference documents everything: a key, word, default, verb, option, cause or exit code that it lacks fails."""

import importlib
import re
from typing import get_args, get_origin

import click
import msgspec
import pytest

from potluck.cli import VERBS
from potluck.core import errors
from potluck.core.plan import Plan
from potluck.core.rounds import Cause
from potluck.core.strict import parts, plain, words
from potluck.core.views import Form
from potluck.learning.training.methods import METHODS
from potluck.learning.training.optimizer import OPTIMIZERS
from potluck.owner import denial
from potluck.parties.admission.decision import Lack
from potluck.tasks import catalog as _catalog  # noqa: F401  its rooms fill the tables of words
from support.docs.pages import DOCS, ROOT, rows, ticks

REFERENCE = DOCS / "reference"
WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def takes(kind):
    """What a key takes, as the page says it."""
    kind = plain(kind)
    if known := words(kind):
        return {str(word) for word in known}
    if get_origin(kind) is tuple:
        inner = plain(get_args(kind)[0])
        return "list of " + ("tables" if inner not in WORDS else WORDS[inner] + "s")
    if set(parts(kind)) >= {float, str}:
        return "number or text"
    if get_origin(kind) is dict:
        inner = plain(get_args(kind)[1])
        return "table" if inner is str else f"table of {WORDS[inner]}s" if inner in WORDS else "table of tables"
    return WORDS.get(kind, "table")


def default_of(field):
    """The default as the page would say it, or "**required**"."""
    if field.required:
        return "**required**"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if value is None or value is msgspec.UNSET:
        return "–"
    if value in ((), {}, ""):
        return "empty"
    return f"`{value if isinstance(value, str) else msgspec.json.encode(value).decode()}`"


def keys(kind, prefix=""):
    """(dotted key, field) of every key that a plan may have."""
    for field in msgspec.structs.fields(kind):
        name, inner = f"{prefix}{field.encode_name}", plain(field.type)
        yield name, field
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            yield from keys(inner, f"{name}.")
        elif get_origin(inner) in (dict, tuple):
            item = get_args(inner)[1 if get_origin(inner) is dict else 0]
            if isinstance(item, type) and issubclass(item, msgspec.Struct):
                yield from keys(item, f"{name}.*.")


DOCUMENTED = {row[0].strip("`"): row for row in rows(REFERENCE / "plan.md") if len(row) == 4}


def test_every_plan_key_is_documented_and_nothing_else():
    assert set(DOCUMENTED) - {"key"} == {name for name, _ in keys(Plan)}


@pytest.mark.parametrize(("name", "field"), list(keys(Plan)), ids=lambda value: value if isinstance(value, str) else "")
def test_a_plan_key_takes_what_the_page_says_and_has_that_default(name, field):
    _, kind, default, meaning = DOCUMENTED[name]
    assert (set(ticks(kind)) or kind) == takes(field.type)
    assert default == default_of(field)
    assert meaning


def test_defaults_that_depend_on_the_method_are_documented():
    for word, method in METHODS.entries.items():
        for value, name in ((method.rounds, "training.rounds"), (method.rate, "training.rate")):
            assert (word == "newton" and name == "training.rate") or f"`{word}`: {value}" in DOCUMENTED[name][3]
    for word, one in OPTIMIZERS.entries.items():
        usual = one.rates and f"`{word}`: {one.rates.log_loss} and {one.rates.squared}"
        assert usual is None or usual in DOCUMENTED["training.rate"][3]
        of_networks = DOCUMENTED["training.rate"][3].partition("of a network with ")[2]
        assert one.rates is None or f"`{word}`: {one.rates.network}" in of_networks


def commands():
    return {name: importlib.import_module(f"potluck.cli.{name}").command for name in VERBS}


def subcommands(command):
    """(word, command) of a verb that has words of its own."""
    words = command.list_commands(None) if isinstance(command, click.Group) else []
    return [(word, command.get_command(None, word)) for word in words]


def sections(page):
    text = page.read_text(encoding="utf-8")
    return {part.split("\n", 1)[0].strip(): part for part in text.split("\n## ")}


def test_every_verb_and_option_is_documented():
    page = REFERENCE / "verbs.md"
    found, common = sections(page), page.read_text(encoding="utf-8").split("\n## ")[0]
    assert set(found) - {"# Verbs"} == set(VERBS)
    inner = [(name, word, one) for name, command in commands().items() for word, one in subcommands(command)]
    assert len(inner) > 25
    for name, word, _ in inner:
        assert f"`potluck {name} {word}" in found[name]
    whole = [*commands().items(), *((name, command) for name, _, command in inner)]
    for name, command in whole:
        for option in command.params:
            said = option.opts if isinstance(option, click.Option) else [option.human_readable_name]
            for word in said:
                assert word in found[name] or f"`{word}" in common, f"{name} {word}"


def test_every_cause_is_documented():
    said = {row[0] for row in rows(REFERENCE / "exit-codes.md") if len(row) == 2}
    assert said - {"cause"} == {cause.value for cause in Cause}


def test_every_code_that_a_site_may_answer_is_documented():
    said = {code for row in rows(REFERENCE / "exit-codes.md") if len(row) == 3 for code in ticks(row[0])}
    parties = ROOT / "src" / "potluck" / "parties" / "admission"
    consent = "".join(
        (parties / name).read_text(encoding="utf-8") for name in ("consent.py", "graphs.py", "proposal.py", "rows.py")
    )
    own = set(re.findall(r'Denied\("(\w+)"|"unable", \("(\w+)",\)', consent))
    codes = (
        {code for pair in own for code in pair if code}
        | set(get_args(denial.Code))
        | {"denied", "revoked"}
        | set(get_args(Lack))
    )
    assert len(codes) >= 20
    assert said == codes


def test_every_exit_code_is_documented():
    said = {row[0]: row[1] for row in rows(REFERENCE / "exit-codes.md") if len(row) == 3}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.PotluckError) and kind is not errors.PotluckError:
            assert f"`{kind.__name__}`" in said[str(kind.exit_code)]


def test_every_form_is_documented():
    text = (REFERENCE / "json.md").read_text(encoding="utf-8")
    assert all(f"`{form.value}`" in text for form in Form)
