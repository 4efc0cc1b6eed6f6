"""A policy file is read strictly, denies by default, and never shows an address."""

import re
import tomllib
from datetime import datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.errors import UsageError
from potluck.owner import policy
from potluck.owner.hours import span, within
from potluck.owner.policy import Allow, Approve, Policy, exposed, template
from potluck.owner.reading import parse, read
from support.examples import examples
from support.owner.plans import OPEN

PASSWORD = "s3cr3t-31337"
ADDRESS = f"postgresql+psycopg://reader:{PASSWORD}@db.example/patients"


def fails(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        parse(text, "policy.toml")
    message = str(caught.value)
    assert message.startswith("UsageError: policy.toml: ")
    assert "\n" not in message
    assert PASSWORD not in message
    assert caught.value.exit_code == 2
    return message


def with_source(lines: str) -> str:
    return f"version = 1\n[source]\n{lines}\n"


def test_the_shortest_policy_has_the_defaults_that_deny():
    found = parse('version = 1\nsource.file = "rows.csv"', "policy.toml")
    assert (found.allow, found.approve) == (Allow(), Approve())
    assert found.approve == Approve(rule="person", people=1)
    assert (found.allow.min_rows, found.allow.min_sites) == (1, 2)
    assert (found.allow.epsilon_per_plan, found.allow.epsilon_per_year, found.allow.hours) == (0, 0, None)


def test_a_bare_star_is_a_list_of_one_and_other_bare_texts_are_refused():
    assert parse(OPEN, "policy.toml").allow.tasks == ("*",)
    assert "allow.tasks must be a list" in fails(OPEN.replace('tasks = "*"', 'tasks = "train"'))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("version = 1", ""), "version is missing"),
        (("version = 1", "version = 2"), "version does not know '2'"),
        (("version = 1", "version = true"), "version does not know"),
        (("[allow]", "[alow]"), 'unknown key alow. hint: did you mean "allow"?'),
        (("tasks =", "task ="), 'unknown key allow.task. hint: did you mean "tasks"?'),
        (("tasks =", "servers ="), "unknown key allow.servers. hint: it is called allow.compute now"),
        (('tasks = "*"', 'tasks = ["trian"]'), 'did you mean "train"?'),
        (('noise = "*"', 'noise = ["central"]'), "allow.noise does not know 'central'"),
        (('who = "*"', "who = [1]"), "allow.who does not fit"),
        (("min_sites = 1", "min_sites = 0"), "allow.min_sites: 0 does not fit. hint: 1 or more"),
        (("min_sites = 1", "min_sites = 1.5"), "allow.min_sites does not fit"),
        (("min_sites = 1", "min_rows = -1"), "allow.min_rows: -1 does not fit. hint: 1 or more"),
        (
            ("epsilon_per_plan = 5", "epsilon_per_plan = nan"),
            "allow.epsilon_per_plan: nan does not fit. hint: 0 or more",
        ),
        (("epsilon_per_plan = 5", "epsilon_per_plan = -1"), "allow.epsilon_per_plan: -1 does not fit. hint: 0 or more"),
        (("epsilon_per_plan = 5", 'epsilon_per_plan = "5"'), "it takes a number"),
        (("min_sites = 1", "min_corrupt = -1"), "allow.min_corrupt: -1 does not fit. hint: 0 or more"),
        (("min_sites = 1", 'hours = ["8-18"]'), "allow.hours does not know '8-18'"),
        (("min_sites = 1", "[approve]\npeople = 3"), "approve.people does not know '3'"),
        (("min_sites = 1", "[approve]\npeople = true"), "approve.people does not know"),
        (("min_sites = 1", '[approve]\nrule = "anyone"'), "approve.rule does not know 'anyone'"),
        (("min_sites = 1", '[approve]\nrule = "policy"\npeople = 2'), 'does not go with rule = "policy"'),
        (("[allow]", "allow = 3\n[other]"), "unknown key"),
        (("version = 1", "version = 1\nversion = 1"), "not TOML at line 2"),
        (("version = 1", "version ="), "not TOML"),
        (("version = 1", "version = " + "9" * 5000), "not TOML"),
        (("version = 1", "version = " + "[" * 5000), "not TOML"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_fit_is_named(change, words):
    assert OPEN.replace(*change) != OPEN
    assert words in fails(OPEN.replace(*change))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("", "source needs one of file, url and url_file, and has none"),
        (f'file = "rows.csv"\nurl = "{ADDRESS}"', "has file and url"),
        (f'url = "{ADDRESS}"', "source.query is missing"),
        ('url_file = "secret.url"\nquery = "  "', "source.query is missing"),
        ('file = "rows.csv"\nquery = "select 1"', "source.query goes with a database"),
        (f'file = "{ADDRESS}"', "source.file is no path"),
        (f'url_file = "{ADDRESS}"\nquery = "select 1"', "source.url_file is no path"),
        (f'url = ["{ADDRESS}"]\nquery = "select 1"', "source.url does not fit"),
        (f'adress = "{ADDRESS}"', "unknown key source.adress"),
        (f'"{ADDRESS}" = 1', "unknown key (an address)"),
        (f'file = "rows.csv"\n[allow]\ntasks = ["{ADDRESS}"]', "allow.tasks does not know (an address)"),
        (f"url = {ADDRESS}", "not TOML"),
        (f'url = "{ADDRESS}', "not TOML"),
    ],
)
def test_a_source_is_one_file_or_one_query_and_no_message_shows_the_address(lines, words):
    assert words in fails(with_source(lines))


def test_a_policy_with_a_password_shows_it_in_no_repr_and_no_json():
    found = parse(with_source(f'url = "{ADDRESS}"\nquery = "select 1"'), "policy.toml")
    assert found.source.url is not None
    assert found.source.url.expose().decode() == ADDRESS
    for shown in (repr(found), str(found), repr(list(found.source.__rich_repr__()))):
        assert PASSWORD not in shown
    with pytest.raises(TypeError):
        msgspec.json.encode(found)


def test_files_that_cannot_be_read_are_named(tmp_path):
    for name, body, words in (
        ("absent.toml", None, "no such policy"),
        ("latin.toml", b"# \xe9", "cannot be read (not UTF-8)"),
        ("long.toml", b"#" * (policy.LONGEST + 1), "is too long"),
    ):
        path = tmp_path / name
        if body is not None:
            path.write_bytes(body)
        with pytest.raises(UsageError, match=re.escape(words)):
            read(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path)


def test_a_policy_that_others_may_read_is_warned_of_only_if_it_holds_an_address(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(with_source(f'url = "{ADDRESS}"\nquery = "select 1"'))
    path.chmod(0o644)
    assert "chmod 600" in exposed(read(path), path)
    path.chmod(0o600)
    assert exposed(read(path), path) is None
    path.write_text(OPEN)
    path.chmod(0o644)
    assert exposed(read(path), path) is None


def test_the_template_denies_all_and_explains_every_key():
    text = template("cleveland")
    found = parse(text, "policy.toml")
    assert found.allow == replaced_hours(Allow(readers=(), compute=()))
    tables = tomllib.loads(text)
    for kind, name in ((Allow, "allow"), (Approve, "approve")):
        assert list(tables[name]) == [field.encode_name for field in msgspec.structs.fields(kind)]
    for kind in (policy.Source, Allow, Approve):
        for field in msgspec.structs.fields(kind):
            assert re.search(rf"^(?:# )?{field.encode_name} = .*# \S", text, re.MULTILINE), field.encode_name
    assert all(len(line) <= 120 for line in text.splitlines())
    with pytest.raises(ValueError, match="printable"):
        template("a\n[allow]\nwho = '*'")


def replaced_hours(allow: Allow) -> Allow:
    few = {"min_cell": 5, "dominance": 0.5, "max_parameters_per_row": 0.33}
    return msgspec.structs.replace(allow, hours=(), server=("*",), units=("*",), min_corrupt=1, looks=0, **few)


MONDAY = datetime(2026, 11, 23)


def at(day: int, clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return MONDAY.replace(day=23 + day, hour=hour, minute=minute)


@pytest.mark.parametrize(
    ("entry", "inside", "outside"),
    [
        ("08:00-18:00", [(0, "08:00"), (6, "17:59")], [(0, "07:59"), (0, "18:00")]),
        ("mon-fri 08:00-18:00", [(4, "12:00")], [(5, "12:00"), (4, "18:00")]),
        ("22:00-06:00", [(0, "22:00"), (0, "05:59"), (3, "00:00")], [(0, "06:00"), (0, "21:59")]),
        ("fri 22:00-06:00", [(4, "23:00"), (5, "05:59")], [(4, "05:00"), (5, "23:00"), (5, "06:00")]),
        ("sun 22:00-06:00", [(6, "23:00"), (0, "05:59")], [(0, "23:00")]),
        ("sat-mon", [(5, "00:00"), (6, "12:00"), (0, "23:59")], [(1, "00:00"), (4, "23:59")]),
        ("SAT 00:00-24:00", [(5, "00:00"), (5, "23:59")], [(6, "00:00"), (4, "23:59")]),
        ("*", [(0, "00:00"), (6, "23:59")], []),
    ],
)
def test_hours_hold_what_they_say(entry, inside, outside):
    assert all(within((entry,), at(*moment)) for moment in inside)
    assert not any(within((entry,), at(*moment)) for moment in outside)


def test_hours_that_say_nothing_clear_are_not_understood():
    for entry in (
        "",
        " ",
        "8-18",
        "08:00",
        "08:00-08:00",
        "24:00-08:00",
        "mon-fri08:00-18:00",
        "noon",
        "mon, tue",
        "٠٨:٠٠-١٨:٠٠",
    ):
        assert span(entry) is None, entry
    assert not within((), MONDAY)


@settings(max_examples=examples(300))
@given(st.text(max_size=200))
def test_no_text_does_more_than_be_refused(text):
    with pytest.raises(UsageError):
        parse(text, "policy.toml")


@settings(max_examples=examples(500))
@given(st.data())
def test_a_policy_with_letters_changed_is_read_or_refused(data):
    text = template("cleveland")
    place = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(0, 4))
    changed = text[:place] + data.draw(st.text(max_size=4)) + text[place + length :]
    try:
        found = parse(changed, "policy.toml")
    except UsageError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(found, Policy)


@settings(max_examples=examples(300))
@given(st.data())
def test_no_mangled_policy_makes_a_message_show_the_password(data):
    text = f'version = 1\n[source]\nurl = "{ADDRESS}"\nquery = "select 1"\n[allow]\nwho = ["hospitals"]\n'
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        word = data.draw(st.sampled_from(["", "\n", '"', "'", "=", "[", "]", ".", "file", "#", "query", "[allow]"]))
        text = text[:place] + word + text[place + data.draw(st.integers(0, 12)) :]
    try:
        found = parse(text, "policy.toml")
    except UsageError as error:
        assert PASSWORD not in str(error)
    else:
        assert PASSWORD not in repr(found.source.url)
