"""What the broker sees: ciphertext of what others see, and nothing beyond them whoever helps it."""

import itertools

import pytest

import potluck
from potluck.core.errors import UsageError
from potluck.core.party import BROKER, SERVER
from potluck.core.schemes import scheme_of
from potluck.core.views import Form, breaks, together
from potluck.members.names import checked_name, file_name
from potluck.secret.envelope import MAGIC
from potluck.tasks import catalog
from potluck.tasks.sums import protections
from support.parties.scene import NONE, SHARED, Scene, plan
from support.places import ROOT

NOISED = {"unit": "row", "epsilon": 3.0, "delta": 1e-5, "clip": 1.0}
SEAL = 1088 + 32 + 16
"""Bytes that a hybrid box adds: ML-KEM-768's and X25519's shares, and the tag."""
PLANS = {
    "clear": plan(word="clear"),
    "clear, noise at the site": plan(word="clear", privacy=NOISED | {"noise": "site"}),
    "clear, noise at reveal": plan(word="clear", privacy=NOISED | {"noise": "reveal"}, server="curious"),
    "mask, lying": plan(),
    "mask, curious": plan(server="curious"),
    "mask, shared noise": plan(privacy=SHARED),
    "he": plan(word="he", server="curious"),
}


def statistics(word):
    return potluck.Plan(
        name="p",
        purpose="test",
        task="statistics",
        federation={"sites": list("abcd"), "corrupt": 1, "dropouts": 1},
        data={"columns": {"x": {"kind": "number", "low": 0, "high": 1}}},
        statistics=[{"name": "n", "kind": "count"}],
        protect={"with": word},
        privacy=NONE,
    )


PLANS |= {f"statistics, {word}": statistics(word) for word in ("clear", "mask")}


@pytest.fixture(params=PLANS)
def spec(request):
    made = PLANS[request.param]
    made.require()
    return made.spec


def of(spec, thing):
    (view,) = [view for view in catalog.views(spec) if view.party == BROKER and view.of == thing]
    return view


def test_the_broker_has_ciphertext_of_whatever_is_sent(spec):
    for one in spec.sites:
        assert of(spec, f"{one}'s update").form is Form.CIPHERTEXT
    assert of(spec, "the sum").form is Form.CIPHERTEXT
    if spec.task == "train":
        assert of(spec, "the model").form is Form.CIPHERTEXT
        for one in spec.sites:
            metrics = of(spec, f"{one}'s metrics")
            read = spec.protect.scheme == "clear"  # the site's part of the evaluation goes to the server by letter
            assert metrics.form is (Form.CIPHERTEXT if read else Form.NOTHING)
            assert breaks(metrics.breaks_if, frozenset({SERVER if read else one}))


def test_the_broker_has_a_row_of_everything_that_the_server_has(spec):
    rows = catalog.views(spec)
    assert {v.of for v in rows if v.party == BROKER} == {v.of for v in rows if v.party == SERVER}


def test_in_no_coalition_does_the_broker_add_more_than_ciphertext(spec):
    order, every = list(Form), catalog.views(spec)
    for size in range(6):
        for members in itertools.combinations((SERVER, *spec.sites), size):
            without = {view.of: view.form for view in together(every, frozenset(members))}
            for view in together(every, frozenset({BROKER, *members})):
                known = without.get(view.of, Form.NOTHING)
                assert view.form in (known, Form.CIPHERTEXT), (members, view.of)
                assert order.index(view.form) >= order.index(known)


def test_with_the_server_it_sees_what_the_server_sees(spec):
    every = catalog.views(spec)
    server = {v.of: v.form for v in together(every, frozenset({SERVER}))}
    assert {v.of: v.form for v in together(every, frozenset({SERVER, BROKER}))} == server
    below = {v.of for v in every if v.party == SERVER and v.form is Form.CIPHERTEXT}  # which takes more to open
    broken = {v.of: v.broken for v in every if v.party == BROKER and v.form is Form.CIPHERTEXT and v.of not in below}
    assert broken == {thing: server[thing] for thing in broken}


def test_a_stolen_long_term_key_is_named_where_it_opens_something():
    def breaks_if(name, thing):
        return str(of(PLANS[name].spec, thing).breaks_if)

    assert "the server's long-term box key is stolen, even years later" in breaks_if("clear", "a's update")
    assert "stolen" not in breaks_if("mask, lying", "a's update")
    assert "a site's long-term box key is stolen" in breaks_if("mask, lying", "the model")
    assert "the server's or a site's long-term" in breaks_if("clear", "the sum")
    assert "the server's long-term" in breaks_if("statistics, clear", "the sum")
    assert "stolen" not in breaks_if("statistics, mask", "the sum")


def test_no_claim_stands_without_the_hybrid(spec):
    for view in catalog.views(spec):
        if view.party == BROKER and view.form is Form.CIPHERTEXT:
            assert "both X25519 and ML-KEM-768 fall" in str(view.breaks_if)
            assert "who writes to whom" in view.note
            assert "across machines only" in view.note


@pytest.mark.parametrize(
    "word",
    [
        pytest.param(word, marks=[pytest.mark.slow] * (word == "share"))  # of three engines
        for word in sorted(set(protections.PROTECTIONS.words()) - {"he"})  # its input is ciphertext
    ],
)
def test_inputs_are_sealed_once_more_exactly_where_the_views_say_so(word, request):
    """The claim that a stolen long-term key opens no input under `mask`, against the letters of a run."""
    bodies, shared = [], word == "share"
    if shared:
        request.getfixturevalue("mpc_engine")

    def listen(letter):
        if letter.label.step == f"{word}/input" and not (shared and letter.to == SERVER):  # which gets hashes alone
            assert letter.data[:4] == MAGIC
            bodies.append(len(letter.data) - 72 - int.from_bytes(letter.data[4:8], "big"))
        return (letter,)

    Scene(plan(word=word, server="curious" if shared else "lying"), carry=listen).run()
    assert len(bodies) >= 4
    smallest = min(bodies)  # a training round's: few words, so that the seal shows
    assert (smallest >= SEAL) == (scheme_of(word).again or shared)


def test_explain_knows_the_broker_by_name():
    rows = potluck.explain(plan(), ["broker", "server"]).rows()
    assert {row["party"] for row in rows} == {"broker + server"}
    assert {row["of"]: row["form"] for row in rows}["a's update"] == "masked"
    alone = {row["of"]: row["form"] for row in potluck.explain(plan(), ["broker"]).rows()}
    assert alone["a's update"] == alone["the model"] == alone["the sum"] == "ciphertext"
    assert alone["a's metrics"] == "nothing"
    with pytest.raises(UsageError, match="mallory") as caught:
        potluck.explain(plan(), ["mallory"])
    assert "broker" in caught.value.hint


@pytest.mark.parametrize("name", ["broker", "server"])
def test_no_site_is_called_as_a_party_without_rows_is(name):
    errors, _ = catalog.check(plan().spec)
    assert errors == []
    spec = plan().set("federation.sites", ["a", "b", "c", name]).spec
    errors, _ = catalog.check(spec)
    assert any('"server", "broker"' in error for error in errors)
    with pytest.raises(UsageError, match='"server", "broker"'):
        checked_name(name)


def test_sites_whose_names_give_one_file_are_refused():
    """Their ledgers would be one: a name that is no file's name gets a hash, which another name may end in."""
    first, second = "a b", file_name("a b")
    assert file_name(second) == second
    for sites in (["a", first, second], ["a", second, first]):
        errors, _ = catalog.check(plan().set("federation.sites", sites).spec)
        assert errors == [
            f"federation.sites: {sites[1]} and {sites[2]} would share one file. hint: give one another name"
        ]


def test_who_opens_a_letter_of_ciphertext_has_ciphertext():
    view = of(PLANS["he"].spec, "a's update")
    assert not breaks(view.breaks_if, frozenset({SERVER}))
    assert not breaks(view.breaks_if, frozenset(PLANS["he"].spec.sites[1:]))  # sites' own rows say what they see
    assert breaks(view.breaks_if, frozenset({SERVER, *PLANS["he"].spec.sites[1:]}))
    said = str(view.breaks_if)
    assert said.startswith("(server colludes, or the server's or a site's long-term box key is stolen")
    assert ") and (" in said


def test_parts_of_columns_and_results_pass_the_broker_sealed():
    fit = potluck.Plan.read(ROOT / "examples" / "fit_bank.toml").spec
    for thing in ("bank's columns", "shop's columns", "the model", "the metrics"):
        view = of(fit, thing)
        assert view.form is Form.CIPHERTEXT
        assert "it carries parts" in view.note
        assert not breaks(view.breaks_if, frozenset({SERVER}))
