"""A plan of very many names costs a site next to nothing: who is no member is refused before any other check, and no
check looks at a name once for each other name. Looks are counted; no clock is asked."""

import threading

import pytest
from msgspec.structs import replace as replaced

from potluck.core.plan import Column, Fit, Statistic, canonical
from potluck.core.tables.derived import Derive, Reduce, Reduced, Where
from potluck.learning.data.derivations import recode
from potluck.learning.data.notation import Notation
from potluck.members.home import CoordinatorHome
from potluck.parties.admission import proposal as proposals
from potluck.parties.admission.proposal import Denied, plan_of
from potluck.tasks import catalog, rules
from support.hostile.proposals import proposal
from support.parties import across, fit_scene, scene
from support.parties import intersect_hall as hall
from support.parties.across import Across

NAMES = 16_000
RUN = "ab" * 16


@pytest.fixture(scope="module")
def fed(tmp_path_factory):
    return Across(across.found(tmp_path_factory.mktemp("names"), rows=10))


class Counted(str):
    """A name that counts how often it is compared, hashed or trimmed."""

    __slots__ = ()
    looks = 0

    def __eq__(self, other):
        Counted.looks += 1
        return str.__eq__(self, other)

    def __hash__(self):
        Counted.looks += 1
        return str.__hash__(self)

    def strip(self, *given):
        Counted.looks += 1
        return str.strip(self, *given)


def looked(work):
    Counted.looks = 0
    work()
    return Counted.looks


def names(count, twice=False):
    return tuple(Counted(f"s{number // 2 if twice else number}") for number in range(count))


def crowded(count, **more):
    spec = scene.plan().spec
    return replaced(spec, federation=replaced(spec.federation, sites=names(count)), **more)


def test_a_plan_that_names_strangers_is_refused_before_any_check(fed, monkeypatch):
    reached, spec = [], scene.plan().spec
    plain = replaced(spec, federation=replaced(spec.federation, sites=tuple(f"s{n}" for n in range(NAMES))))
    real = catalog.check
    monkeypatch.setattr(catalog, "check", lambda plan: reached.append(len(plan.sites)) or real(plan))
    asked = proposal(fed, spec)
    with fed.site("a", threading.Event()) as one:
        assert one._consent.decide("cd" * 16, asked).verdict == "granted"  # the control: of members it is asked
        assert reached == [4]
        decision = one._consent.decide(RUN, replaced(asked, plan=canonical(plain)))
    assert (decision.verdict, decision.codes) == ("denied", ("plan",))
    assert "no members" in decision.words[0]
    assert reached == [4]


def refusal(fed, plan, monkeypatch):
    """Looks at names until the site refuses a plan that was decoded to this one."""

    class Decoded:
        def decode(self, _):
            return plan

    monkeypatch.setattr(proposals, "_PLANS", Decoded())
    federation = CoordinatorHome.at(fed.folder / "fed").standing().federation

    def work():
        with pytest.raises(Denied):
            plan_of(proposal(fed, scene.plan().spec), federation, fed.home("a").me)

    return looked(work)


def test_sixteen_thousand_names_cost_a_few_looks_each(fed, monkeypatch):
    assert refusal(fed, crowded(NAMES), monkeypatch) < 10 * NAMES


def test_one_member_named_sixteen_thousand_times_costs_a_few_looks_each(fed, monkeypatch):
    spec = crowded(NAMES)
    plan = replaced(spec, federation=replaced(spec.federation, sites=tuple(Counted("a") for _ in range(NAMES))))
    assert refusal(fed, plan, monkeypatch) < 10 * NAMES


def quadratic(given):
    """As names that are there twice were found before."""
    return sorted({name for name in given if given.count(name) > 1})


def grows(work, most=800):
    """By what the looks grow where there are twice as many names."""
    return looked(lambda: work(most)) / looked(lambda: work(most // 2))


def test_looking_for_names_that_are_there_twice_is_linear(monkeypatch):
    assert grows(lambda count: rules.errors_of(crowded(count))) < 2.5
    monkeypatch.setattr(rules, "repeated", quadratic)  # the control
    assert grows(lambda count: rules.errors_of(crowded(count))) > 3


def marked(count):
    """As many columns of categories as texts that mean "no value"."""
    spec, kind = scene.plan().spec, Column(kind="category", values=("a",))
    columns = spec.data.columns | {f"k{number}": kind for number in range(count)}
    return replaced(spec, data=replaced(spec.data, missing=names(count), columns=columns))


def plans(count):
    """Plans whose lists are long, each in another place."""
    train, fit, match = scene.plan().spec, fit_scene.plan().spec, hall.plan()
    counting = replaced(train, task="statistics", model=None, training=None)
    columns = dict.fromkeys(names(count), train.data.columns["x"])
    owned = {name: replaced(fit.data.columns["x1"], owner=name) for name in names(count)}
    return {
        "sites": crowded(count),
        "columns": replaced(train, data=replaced(train.data, columns=columns)),
        "missing": replaced(train, data=replaced(train.data, missing=names(count))),
        "category columns and missing": marked(count),
        "statistics": replaced(
            counting, statistics=tuple(Statistic(name=name, kind="mean", column="x") for name in names(count))
        ),
        "fit.to": replaced(fit, fit=Fit(to=names(count))),
        "owners": replaced(fit, data=replaced(fit.data, columns=fit.data.columns | owned)),
        "owners and sites": replaced(
            fit,
            federation=replaced(fit.federation, sites=(*fit.federation.sites, *names(count))),
            data=replaced(fit.data, columns=fit.data.columns | owned),
        ),
        "align.to": replaced(match, align=replaced(match.align, to=names(count))),
        "matched sites": replaced(match, federation=replaced(match.federation, sites=names(count))),
    } | about_one(count)


def about_one(count):
    """Plans with many entries about one category of many values."""
    spec = replaced(scene.plan().spec, task="statistics", model=None, training=None)
    rows = replaced(spec.data, target=None, split=None, columns={"k": Column(kind="category", values=names(count))})
    value, every = str(rows.columns["k"].values[-1]), range(count)
    persons = {
        "any": {f"p{one}": Reduced(kind="any", source="k", values=(value,)) for one in every},
        "last": {f"p{one}": Reduced(kind="last", source="k") for one in every},
    }
    parts = {
        "conditions": replaced(rows, where=(Where(column="k", within=(value,)),) * (count // 10)),
        "a long map": replaced(
            rows, derive={"m": Derive(kind="recode", source="k", map=dict.fromkeys(names(count), "new"))}
        ),
    }
    parts |= {
        f"columns of persons: {kind}": replaced(rows, person="who", reduce=Reduce(columns=columns))
        for kind, columns in persons.items()
    }
    return {
        name: replaced(spec, data=data, statistics=(Statistic(name="n", kind="count"),)) for name, data in parts.items()
    }


@pytest.mark.parametrize("where", plans(1))
def test_no_check_of_a_plan_looks_at_each_name_once_for_each_other(where):
    assert grows(lambda count: catalog.check(plans(count)[where])) < 2.5


@pytest.mark.parametrize("where", ["conditions", "columns of persons: any"])
def test_control_keys_of_values_made_once_an_entry_are_quadratic(where, monkeypatch):
    real = Notation.places
    monkeypatch.setattr(Notation, "places", lambda self, values: real(Notation(self.missing), values))
    assert grows(lambda count: catalog.check(about_one(count)[where]), 400) > 3


def test_control_a_map_whose_values_are_looked_for_one_by_one_is_quadratic(monkeypatch):
    monkeypatch.setattr(recode, "_places", lambda values: values)
    assert grows(lambda count: catalog.check(about_one(count)["a long map"]), 400) > 3


def test_control_values_that_each_column_of_persons_has_again_are_quadratic(monkeypatch):
    monkeypatch.setattr(rules, "MOST_VALUES", 10**9)
    assert grows(lambda count: catalog.check(about_one(count)["columns of persons: last"]), 200) > 3


def test_control_keys_of_missing_made_once_a_column_are_quadratic(monkeypatch):
    real = Notation.not_missing
    monkeypatch.setattr(Notation, "not_missing", lambda self, *asked: real(Notation(self.missing), *asked))
    assert grows(lambda count: catalog.check(marked(count)), 400) > 3


@pytest.mark.parametrize(
    ("key", "most"),
    [
        ("federation.sites", 10_000),
        ("data.columns", 100_000),
        ("data.missing", 10_000),
        ("statistics", 10_000),
        ("align.keys", 100),
    ],
)
def test_lists_beyond_what_a_plan_needs_are_refused_by_key(key, most):
    spec, match = scene.plan().spec, hall.plan()
    given = tuple(f"n{number}" for number in range(most + 1))
    of = {
        "federation.sites": lambda: replaced(spec, federation=replaced(spec.federation, sites=given)),
        "data.columns": lambda: replaced(
            spec, data=replaced(spec.data, columns=dict.fromkeys(given, spec.data.columns["x"]))
        ),
        "data.missing": lambda: replaced(spec, data=replaced(spec.data, missing=given)),
        "statistics": lambda: replaced(
            spec, statistics=tuple(Statistic(name=name, kind="mean", column="x") for name in given)
        ),
        "align.keys": lambda: replaced(match, align=replaced(match.align, keys=given)),
    }
    (error,) = catalog.check(of[key]())[0]
    assert error.startswith(f"{key}: {most + 1} are more than the {most} that a plan may have")


def with_column(spec, name, column):
    return replaced(spec, data=replaced(spec.data, columns=spec.data.columns | {name: column}))


def test_texts_and_values_beyond_what_a_plan_needs_are_refused_by_key():
    spec = scene.plan().spec
    crowd = {f"k{n}": Column(kind="category", values=tuple(f"v{m}" for m in range(1000))) for n in range(101)}
    wide = {f"{n:0999d}": Column(kind="ignore") for n in range(3100)}
    persons = Reduce(columns={f"p{n}": Reduced(kind="last", source="k0") for n in range(100)})
    again = replaced(spec.data, columns={"k0": crowd["k0"]}, reduce=persons)
    wrong = {
        "name: 201 letters": replaced(spec, name="n" * 201),
        "purpose: 4001 letters": replaced(spec, purpose="p" * 4001),
        "data.person: 1001 letters": replaced(spec, data=replaced(spec.data, person="p" * 1001)),
        "data.columns: 1001 letters": with_column(spec, "c" * 1001, Column(kind="ignore")),
        "data.columns.k.values: 1001 letters": with_column(spec, "k", Column(kind="category", values=("v" * 1001,))),
        "data.columns: 101000 values": replaced(spec, data=replaced(spec.data, columns=spec.data.columns | crowd)),
        "data.columns: 101000 values of": replaced(spec, data=again),
        "name: all its texts have 3": replaced(spec, data=replaced(spec.data, columns=spec.data.columns | wide)),
    }
    for start, plan in wrong.items():
        (error,) = catalog.check(plan)[0]
        assert error.startswith(start)
    for plan in (replaced(spec, name="n" * 200), replaced(spec, purpose="p" * 4000)):  # the control: as long as may be
        assert not [line for line in catalog.check(plan)[0] if "letters" in line]
