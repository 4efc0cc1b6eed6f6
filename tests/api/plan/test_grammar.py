"""The plan's grammar: errors name the file, the key and the nearest known one; nothing is guessed."""

import re

import pytest

from potluck.api.local.check import check
from potluck.api.plan.grammar import MEANT, override, parse, read_toml
from potluck.api.plan.mistakes import mistakes
from potluck.api.plan.plan import Plan, opened
from potluck.core.errors import PlanError, UsageError
from potluck.core.registry import Known

GOOD = """
version = 1
name = "n"
purpose = "p"
task = "train"
[federation]
sites = ["a", "b", "c", "d"]
[data.columns]
age = { kind = "number", low = 20, high = 90, unit = "years" }
sex = { kind = "category", values = [0, 1] }
[data.target]
column = "y"
positive = ["1"]
[data.split]
test = 0.3
[model]
kind = "logistic"
[training]
method = "newton"
[protect]
with = "mask"
[privacy]
noise = "none"
"""


def error(text: str) -> str:
    with pytest.raises(PlanError) as stop:
        parse(read_toml(text, "heart.toml"), "heart.toml")
    return str(stop.value)


def test_a_good_plan_is_read_with_its_defaults():
    plan = parse(read_toml(GOOD, "heart.toml"), "heart.toml")
    assert plan.federation.server == "lying"
    assert plan.data.columns["sex"].values == ("0", "1")
    assert plan.protect.scheme == "mask"
    assert plan.training is not None
    assert plan.training.range == 8.0


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("with =", "wth =", 'heart.toml: unknown key protect.wth. hint: did you mean "with"?'),
        ('"mask"', '"mosk"', "heart.toml: protect.with does not know 'mosk'. hint: did you mean \"mask\"?"),
        ("low = 20", "low = true", "data.columns.age.low does not fit: true stands there. hint: it takes a number"),
        ("low = 20", "lo = 20", 'unknown key data.columns.age.lo. hint: did you mean "low"?'),
        ('kind = "number"', 'kind = "integer"', "does not know 'integer'. hint: kind = \"number\""),
        ('kind = "number"', 'kind = "Boolean"', "does not know 'Boolean'. hint: kind = \"category\" with its values"),
        ("with =", "servers =", "unknown key protect.servers. hint: it is called protect.compute now"),
        ("method =", "server =", "unknown key training.server. hint: it is called training.aggregation now"),
        ('name = "n"', "", "name is missing. hint: add it: a text"),
        ('sites = ["a", "b", "c", "d"]', 'sites = "a"', "federation.sites must be a list"),
        ('[privacy]\nnoise = "none"', "", "there is no [privacy] table"),
        ('noise = "none"', "", "privacy.noise is missing. hint: add it: one of none, site, shared, reveal"),
        ("version = 1", "version = 2", "version does not know 2"),
        ("version = 1", 'version = "1"', "version does not know '1'. hint: known: 1"),
        ("version = 1", "version = true", "version does not know True"),
        ("version = 1", "version = ", "not TOML"),
    ],
)
def test_a_wrong_key_or_word_is_named_with_the_nearest_known_one(old, new, expected):
    assert old in GOOD
    assert expected in error(GOOD.replace(old, new))


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("epsilon = 1,0  # much", "a number has a point, and no comma: type 1.0"),
        ("name = “heart”", 'quotes are straight here: type "'),
        ("noise = none", "texts need quotes"),
        ("rounds 5", "keys need ="),
        ("rounds: 5", "keys need =, and no :"),
        ("rounds\u00a0= 5", "a space in it is of another kind"),
        ("name = 'heart", "a quote is missing"),
        ('sites = ["a", "b"', "a bracket is not closed"),
        ("shuffle = True", "type true or false, in small letters"),
        ("l2 = .5", "digits on both sides of a point"),
        ("l2 =", "a value is missing after ="),
        ("two words = 3", "a key is one word, or stands in quotes"),
        ("[model", "the name of a table stands in brackets"),
    ],
)
def test_a_line_that_is_no_toml_is_shown_with_what_to_type(line, hint):
    with pytest.raises(PlanError) as caught:
        read_toml(f"{GOOD}\n{line}\n[last]\nb = [\n  1,\n]\n", "heart.toml")
    number = GOOD.count("\n") + 2
    assert caught.value.where == f"heart.toml, line {number}"
    assert caught.value.what.startswith("not TOML: ")
    assert hint in caught.value.hint
    assert [one.what for one in caught.value.others] == ["the rest was not looked at"]


def test_one_mistake_hides_no_other_and_long_texts_are_read_to_a_bound():
    with pytest.raises(PlanError) as caught:
        read_toml("a = 1,0\nb = [\n  1,\n  2]\nc = x\n[d]\ne 1\n", "p")
    assert [one.where for one in (caught.value, *caught.value.others)] == ["p, line 1", "p, line 5", "p, line 7", "p"]
    assert "a = 2" in error("a = 1\na = 2\n")
    assert len(mistakes("x = [\n" * 10_000)) <= 20
    assert len(mistakes('{\n "a": 1,\n "b": 2\n}')) == 1
    assert mistakes("x = [" + "1," * (1 << 20)) == []


def test_of_several_tables_of_one_kind_the_wrong_one_is_named():
    tables = "".join(
        f'[[statistics]]\nname = "{name}"\nkind = "{kind}"\n' for name, kind in (("a", "count"), ("b", "meann"))
    )
    expected = "heart.toml, [[statistics]] 2: statistics.kind does not know 'meann'. hint: did you mean \"mean\"?"
    assert expected in error(GOOD + tables)


def test_a_median_is_not_taken_for_a_mean():
    assert 'hint: a median is kind = "quantile", q = [0.5]' in error(
        GOOD + '[[statistics]]\nname = "m"\nkind = "median"\ncolumn = "age"\n'
    )


def test_words_of_other_tools_lead_to_words_that_the_plan_knows():
    for key, meant in MEANT.items():
        known = Known(key).words()
        for word, hint in meant.items():
            named = re.findall('kind = "([a-z0-9]+)"', hint)
            assert word not in known
            assert named, word
            assert {*named} <= {*known, "ignore"}


def test_a_test_split_of_nothing_is_refused_with_the_way_to_have_none(tmp_path):
    (tmp_path / "plan.toml").write_text(GOOD.replace("test = 0.3", "test = 0"))
    (said,) = check(tmp_path / "plan.toml").errors
    assert said.startswith("data.split.test")
    assert "to train on all rows, leave [data.split] out" in said


def test_set_replaces_one_key_or_a_whole_table():
    tables = read_toml(GOOD, "x")
    assert override(tables, "protect.with='\"clear\"'".replace("'", ""))["protect"] == {"with": "clear"}
    assert override(tables, "privacy={noise='site', epsilon=1}")["privacy"] == {"noise": "site", "epsilon": 1}
    assert override(tables, 'data.columns."a.b"={kind="ignore"}')["data"]["columns"]["a.b"] == {"kind": "ignore"}
    assert tables["protect"] == {"with": "mask"}


@pytest.mark.parametrize("setting", ["protect.with=he", "protect.with", "=1", "a=1\nb=2", "a b=1"])
def test_a_setting_that_is_not_toml_is_refused_with_an_example(setting):
    with pytest.raises(UsageError) as stop:
        override(read_toml(GOOD, "x"), setting)
    assert "protect.with='\"mask\"'" in str(stop.value)


def test_settings_are_put_over_a_file_and_never_dropped_beside_a_plan(tmp_path):
    (tmp_path / "plan.toml").write_text(GOOD)
    assert opened(tmp_path / "plan.toml", ['name="m"']).spec.name == "m"
    read = Plan.read(tmp_path / "plan.toml")
    assert opened(read) is read
    with pytest.raises(UsageError, match=r"not for a Plan. hint: plan\.set"):
        opened(read, ['name="m"'])
    assert "not for a Plan" in check(read, settings=['name="m"']).errors[0]


def test_a_key_with_a_point_that_lacks_its_quotes_is_said():
    text = '[data.files]\nnorth = "rows.csv"\nnorth.labs = "labs.csv"\n'
    with pytest.raises(PlanError, match="needs quotes, as in"):
        read_toml(text, "plan.toml")
    assert read_toml(text.replace("north.labs", '"north.labs"'), "plan.toml")["data"]


@pytest.mark.parametrize(("given", "wanted"), [(".1", "0.1"), ("5.", "5.0"), ("-.5", "-0.5")])
def test_a_number_without_a_digit_beside_its_point_is_answered_with_one(given, wanted):
    with pytest.raises(UsageError, match=f"digits on both sides of a point: --set privacy.epsilon={wanted}$"):
        override({}, f"privacy.epsilon={given}")


LONG = ".".join(["a"] * 60_000)
QUOTED = LONG.replace("a", '"a"')


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 10**5, "a = " + "{a=" * 10**4, "a = " + "9" * 10**4, f"{LONG} = 1", f"[{LONG}]",
     f"x = {{ {QUOTED} = 1 }}", f'"=".{LONG} = 1', f"['#'.{LONG}]", f'x = """\\"=""" # "\n"a\\"=".{LONG} = 1'],
)  # fmt: skip
def test_a_text_that_would_break_the_reader_is_refused_in_words(text):
    with pytest.raises(PlanError, match=r"nested too deeply|too many digits"):
        read_toml(text, "plan.toml")


def test_keys_of_some_parts_and_texts_with_points_are_read():
    deep = ".".join(["a"] * 60)
    assert read_toml(f'x = "so. {LONG[:100]} ... {deep}"\n{deep} = 1 # {"." * 500}', "plan.toml")["a"]
    assert read_toml(f"""x = \'\'\'{LONG[:500]} = "\'\'\' # {LONG[:500]}\ny = "# {LONG[:500]}" """, "plan.toml")["y"]
