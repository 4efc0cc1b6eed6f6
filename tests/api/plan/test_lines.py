"""The line at which a key of a plan stands, which messages name; and all that does not fit, at once."""

import tomllib

import pytest

from potluck.api.plan.grammar import Lined, parse, read_toml
from potluck.api.plan.lines import LONGEST, lines
from potluck.core.errors import PlanError

TEXT = '''# a = 1
name = "n"
purpose = """
low = 1
[data]
"""

[data.columns] # columns
age = { kind = "number",  high = 3 }
"north.labs".kind = "number"
site."a b" = [
  1,
  { two = 2 },
]

[[statistics]]
name = "a"
[[statistics.bins]]
low = 1
[statistics.more]
x = 1
[[statistics]]
name = "b"
'''
STAND = {
    "name": 2, "purpose": 3, "data.columns": 8, "data.columns.age": 9, "data.columns.age.high": 9,
    "data.columns.north.labs.kind": 10, "data.columns.site.a b": 11, "data.columns.site.a b[2].two": 11,
    "statistics[1]": 16, "statistics[1].name": 17, "statistics[1].bins[1].low": 19, "statistics[1].more.x": 21,
    "statistics[2].name": 23,
}  # fmt: skip


@pytest.mark.parametrize("text", [TEXT, TEXT.replace("\n", "\r\n")])
def test_keys_are_found_at_the_line_where_their_statement_begins(text):
    assert {path: line for path, line in lines(text).items() if path in STAND} == STAND


def test_no_line_says_a_key_of_another_statement():
    """The reader of TOML itself says which statement brought a key: what comes before it has none of it."""
    rows = TEXT.splitlines()
    for path in ("name", "purpose", "data", "statistics"):
        line = min(line for at, line in lines(TEXT).items() if at.split(".")[0].split("[")[0] == path)
        assert path not in tomllib.loads("\n".join(rows[: line - 1]))


def test_a_statement_that_does_not_end_costs_little():
    assert lines("a = 1\nb = [\n" + "1,\n" * 100 * LONGEST + "]\nc = 1") == {"a": 1}


WRONG = """name = 1
[federation]
sites = "a"
[[statistics]]
name = "a"
kind = "count"
[[statistics]]
kind = "meann"
[privacy]
epslion = 1
"""


def faults(*settings):
    tables = read_toml(WRONG, "p.toml")
    with pytest.raises(PlanError) as stop:
        parse(tables, "p.toml", Lined(WRONG, settings))
    return [(one.where, one.what) for one in (stop.value, *stop.value.others)]


def test_all_that_does_not_fit_is_told_in_the_order_of_lines():
    assert faults() == [
        ("p.toml", "version is missing"),
        ("p.toml", "purpose is missing"),
        ("p.toml", "task is missing"),
        ("p.toml", "data is missing"),
        ("p.toml", "protect is missing"),
        ("p.toml, line 3", "federation.sites must be a list"),
        ("p.toml, [[statistics]] 2, line 7", "statistics.name is missing"),
        ("p.toml, [[statistics]] 2, line 8", "statistics.kind does not know 'meann'"),
        ("p.toml, line 9", "privacy.noise is missing"),
        ("p.toml, line 10", "unknown key privacy.epslion"),
    ]


def test_no_line_is_named_for_what_was_set_over_the_text():
    for setting in ("federation.sites='a'", "federation={sites='a'}"):
        assert ("p.toml", "federation.sites must be a list") in faults(setting)
