"""Networks whose units have their turns: what leaves is what each group gave at the model of its turn, as torch's vmap
has it, times its coefficient; a row moves a whole run by no more than its noise is made for."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import toeplitz

import potluck
from potluck.core.asks import UNIT, Answer, Band, Kind, coefficients
from potluck.core.fixed import decode, signed
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Release
from potluck.dp import mechanism as mechanisms
from potluck.dp.banded import squares, weight
from potluck.dp.mechanism import guarded, mechanism
from potluck.learning.kept import InMemory
from potluck.learning.training import turns
from potluck.learning.training.slots import slots_of
from potluck.learning.views import opened
from potluck.secret.container import Secret
from potluck.tasks.sums import halves
from potluck.tasks.sums.signal import outlook
from potluck.tasks.tie import by_order, of_table
from potluck.testing.draws import seeded
from support.dp import fixed_draws
from support.examples import examples
from support.graph import hidden
from support.graph.noised import KEPT, Scene, clip_of_the_sum, without_clip

pytestmark = pytest.mark.torch
BAND, ROUNDS = 3, 7
OF = Band(BAND, ROUNDS)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return hidden.made(tmp_path_factory.mktemp("graphs"), "perceptron")


def scene(made, unit="row", **more):
    privacy = {"unit": unit, "clip": 0.7} | ({"rows_per_person": 3} if unit == "person" else {})
    data = {"person": "who"} if unit == "person" else {}
    keys = {"privacy": privacy | more.pop("privacy", {}), "data": data, "band": BAND, "rounds": ROUNDS}
    return Scene(made[1], each=4 if unit == "person" else 1, **keys | more)


def models(one):
    """A model a round: nobody says that they follow from sums."""
    start = np.frombuffer(one.ask.state)
    draw = np.random.default_rng(5)
    return [start, *(start + draw.normal(0, 0.3, len(start)).astype(np.float32) for _ in range(ROUNDS - 1))]


def asked(one, step, weights):
    ask = one.task.ask(Kind.TRAIN, step, weights.astype("<f8").tobytes())
    return ask, mechanism(one.spec, ask)


def left(one, table, step, weights, draw, noise=True):
    """What leaves a site in a round, in whole steps."""
    ask, bound = asked(one, step, weights)
    bound = bound if noise else replace(bound, word="reveal")
    return signed(guarded(bound, one.task.contribute(ask, table, draw), draw).words).astype(np.float64)


def rows_at(module, weights, table, unit):
    """[units, d] by vmap at other weights than the module's own."""
    parts, before, start = list(module.parameters()), [], 0
    with torch.no_grad():
        for part in parts:
            before.append(part.clone())
            part.copy_(torch.tensor(weights[start : start + part.numel()]).reshape(part.shape))
            start += part.numel()
        found = hidden.gradients(module, table)
        for part, old in zip(parts, before, strict=True):
            part.copy_(old)
    if unit == "row":
        return found
    who = table.person[table.train]
    return np.stack([found[who == person][:3].sum(0) for person in np.unique(who)])


def compared(one, module, unit="row"):
    table, draw = replace(one.tables["a"], kept=InMemory()), seeded("a")
    path, clip = models(one), one.spec.privacy.clip
    units = [rows_at(module, weights, table, unit) for weights in path]
    secret = None
    for step, weights in enumerate(path):
        words = left(one, table, step, weights, draw, noise=False)
        if secret is None:
            secret = table.kept.last()[: turns.SECRET].astype(np.uint8).tobytes()
            groups = turns.turns(secret, len(units[0]), BAND)
            assert set(groups.tolist()) == set(range(BAND))
        wanted = 0.0
        for ago in range(min(BAND, step + 1)):
            mine = groups == (step - ago) % BAND
            wanted = wanted + coefficients(OF)[ago] / UNIT * hidden.clipped(units[step - ago][mine], clip)
        off = words * one.step - wanted
        assert np.linalg.norm(off) <= KEPT * len(units[0]) * clip
        assert np.linalg.norm(wanted) > 4 * KEPT * len(units[0]) * clip


@pytest.mark.parametrize("unit", ["row", pytest.param("person", marks=pytest.mark.slow)])
def test_what_leaves_is_each_group_at_the_model_of_its_turn(made, unit):
    compared(scene(made, unit), made[0], unit)


def everybody_always(monkeypatch):
    monkeypatch.setattr(turns.Slots, "among", lambda self, coins: replace(self, units=self.units[: len(self.order)]))


def a_coefficient_of_another_round(monkeypatch):
    monkeypatch.setattr(turns, "coefficients", lambda band: (*coefficients(band)[:1], *coefficients(band)[2:], 0))


def nothing_of_before(monkeypatch):
    plain = turns.Turn
    monkeypatch.setattr(turns, "Turn", lambda band, slots, before, keep: plain(band, slots, (), keep))


def other_groups_each_round(monkeypatch):
    plain, calls = turns.turns, []

    def of(secret, units, groups):
        calls.append(0)
        return plain(bytes([len(calls)]) + secret[1:], units, groups)

    monkeypatch.setattr(turns, "turns", of)


SLOW = [everybody_always, nothing_of_before, without_clip]
BUGS = [a_coefficient_of_another_round, clip_of_the_sum, *(pytest.param(one, marks=pytest.mark.slow) for one in SLOW)]


@pytest.mark.parametrize("bug", BUGS)
def test_that_comparison_finds_bugs(made, bug, monkeypatch):
    one = scene(made)
    bug(monkeypatch)
    with pytest.raises(AssertionError):
        compared(one, made[0])


def shifts(one, place, steps, secret, path, scale=1.0):
    """[steps] how far one unit moves each of these sums, in clips: the same with it and without, slots and all."""
    found = []
    with_, without = (replace(one.tables["a"], kept=InMemory()) for _ in range(2))
    features = scale * with_.features
    features[3], features[5] = np.nan, features[4]
    for number, step in enumerate(steps):
        words = []
        for table, gone in ((with_, False), (without, True)):
            table = replace(table, features=features, kept=table.kept)
            _, bound = asked(one, step, path[step])
            method = one.task._method
            slots = slots_of(
                one.spec, method.goal, method._net, path[step], table, step, seeded("slots", secret, number)
            )
            units = slots.units.copy()
            units[place] = -1 if gone else units[place]
            turn = turns.turn(one.spec, replace(slots, units=units), path[step], table, seeded(secret))
            words.append(signed(turn.encode(bound.grid, bound.limit).words).astype(np.float64))
        found.append(np.linalg.norm(words[0] - words[1]) * one.step / bound.limit.l2[0])
    return np.array(found)


@settings(max_examples=examples(8), deadline=None)
@given(st.data())
def test_a_unit_moves_a_run_by_no_more_than_the_noise_is_made_for(made, data):
    """At models that nobody's sums gave, and where rounds are run again."""
    one = scene(made, privacy={"clip": data.draw(st.sampled_from([0.01, 0.7]))})
    steps = sorted([*range(ROUNDS), *data.draw(st.lists(st.integers(0, ROUNDS - 1), max_size=2))])
    place, secret = data.draw(st.integers(0, 40)), data.draw(st.integers(0, 99))
    found = shifts(one, place, steps, secret, models(one), data.draw(st.sampled_from([1.0, 1e3])))
    mine = steps[int(np.argmax(found > 0))]  # the round of its first turn
    if not found.any():
        return  # its gradient is no number
    for step, moved in zip(steps, found, strict=True):
        assert moved <= np.sqrt(squares(OF)[(step - mine) % BAND]) if step >= mine else moved == 0
    assert (found**2).sum() <= weight(OF, len(steps) - ROUNDS)


@pytest.mark.slow
def test_that_bound_finds_a_row_in_several_groups(made, monkeypatch):
    one = scene(made)
    path = models(one)
    fine = [(shifts(one, place, range(ROUNDS), 1, path) ** 2).sum() for place in range(6)]
    assert max(fine) <= weight(OF, 0)
    assert max(fine) > 0.7 * weight(OF, 0)  # the bound is no wide one
    everybody_always(monkeypatch)
    assert max((shifts(one, place, range(ROUNDS), 1, path) ** 2).sum() for place in range(6)) > weight(OF, 0)


@pytest.mark.slow
def test_that_bound_finds_groups_that_are_drawn_anew(made, monkeypatch):
    one = scene(made)
    path = models(one)
    other_groups_each_round(monkeypatch)
    assert max((shifts(one, place, range(ROUNDS), 1, path) ** 2).sum() for place in range(12)) > weight(OF, 0)


def test_a_round_that_is_run_again_begins_from_the_same_and_has_noise_of_its_own(made):
    one, path = scene(made), models(scene(made))
    table, draw = replace(one.tables["a"], kept=InMemory()), seeded("a")
    for step in range(3):
        left(one, table, step, path[step], draw)
    again = [left(one, table, 3, path[3], draw, noise=False) for _ in range(2)]
    assert np.linalg.norm(again[0] - again[1]) * one.step <= KEPT * 0.7 * 45  # its slots were drawn anew
    noises = [left(one, table, 3, path[3], draw) - again[0] for _ in range(2)]
    sigma = asked(one, 3, path[3])[1].share[0]
    for noise in (*noises, noises[0] - noises[1]):
        assert 0.5 * sigma < noise.std() < 3 * sigma
    with pytest.raises(Abort) as caught:
        left(one, table, 3, path[4], draw)  # at another model
    assert caught.value.cause is Cause.KEPT


def test_nobody_changes_groups_where_the_first_round_is_asked_for_again(made):
    """Else a unit could lose in two groups what the ledger counts for one."""
    one, path = scene(made), models(scene(made))
    table, draw = replace(one.tables["a"], kept=InMemory()), seeded("a")
    secrets = []
    for step in (0, 0, 1, 2, 0, 1):
        left(one, table, step, path[step], draw)
        secrets.append(table.kept.steps[step][1][: turns.SECRET].tolist())
    assert secrets == [secrets[0]] * 6
    assert len(set(secrets[0])) > 1


def test_rows_in_another_order_would_stand_twice_in_a_sum_and_are_refused(made):
    """A source that gives them in any order, after a restart: groups go by a row's number (`tasks.tie`)."""
    one, path = scene(made), models(scene(made))
    table = one.tables["a"]
    back = {"features": table.features[::-1], "target": table.target[::-1], "test": table.test[::-1]}
    orders = table, replace(table, **back)
    units = int(table.train.sum())
    groups = turns.turns(seeded(1)(turns.SECRET), units, BAND)
    place = int(np.flatnonzero((groups == 0) & (groups[::-1] == 1))[0])
    words = []
    for gone in (False, True):
        kept, last = InMemory(), None
        for step, now in enumerate(orders):
            method, now = one.task._method, replace(now, kept=kept)
            slots = slots_of(one.spec, method.goal, method._net, path[step], now, step, seeded("slots", step))
            here = place if step == 0 else units - 1 - place
            some = slots.units.copy()
            some[here] = -1 if gone else some[here]
            last = turns.turn(one.spec, replace(slots, units=some), path[step], now, seeded(1))
            bound = asked(one, step, path[step])[1]
            words.append(signed(last.encode(bound.grid, bound.limit).words).astype(np.float64))
    moved = np.linalg.norm(words[1] - words[3]) * one.step / bound.limit.l2[0]
    assert moved > 1.2  # noise is made for 1
    ties = [of_table(some, Secret(b"0" * 32), by_order(one.spec)).digest for some in orders]
    assert ties[0] != ties[1]


@pytest.mark.parametrize("lost", ["all", "one", "cut"])
def test_a_site_that_lost_what_it_kept_takes_part_no_more(made, lost):
    one, path = scene(made), models(scene(made))
    table, draw = replace(one.tables["a"], kept=InMemory()), seeded("a")
    for step in range(3):
        left(one, table, step, path[step], draw)
    if lost == "all":
        table = replace(table, kept=InMemory())
    elif lost == "one":
        del table.kept.steps[2]
    else:
        table.kept.steps[2] = table.kept.steps[2][0], table.kept.steps[2][1][:-1]
    with pytest.raises(Abort) as caught:
        left(one, table, 3, path[3], draw)
    assert caught.value.cause is Cause.KEPT


def digest_of(made, word, folder, unit="row"):
    privacy = {"noise": "site", "unit": unit} | ({"rows_per_person": 2} if unit == "person" else {})
    data = {"person": "who"} if unit == "person" else {}
    plan = hidden.plan(made[1], word, privacy, data, band=2, rounds=4)
    return potluck.run(plan, hidden.frames(each=2), ledger=folder)


@pytest.mark.slow
@pytest.mark.parametrize("word", ["mask", "share", "he", "tee"])
@pytest.mark.parametrize("unit", ["row", "person"])
def test_protections_open_the_same_and_owners_are_charged_what_was_promised(
    made, word, unit, monkeypatch, request, tmp_path
):
    if word in ("he", "share"):
        request.getfixturevalue({"he": "he_engine", "share": "mpc_engine"}[word])
    monkeypatch.setattr(halves, "contribution", fixed_draws.contribution)
    found = {one: digest_of(made, one, tmp_path, unit).document for one in (word, "clear")}
    assert found[word]["model"]["digest"] == found["clear"]["model"]["digest"]
    for spent in found[word]["privacy"]["epsilon"].values():
        assert 0.98 * 8 <= spent <= 8 * (1 + 1e-9)


def test_the_server_solves_what_opened_and_steps_along_it(made, monkeypatch):
    """Without noise a run's path is that of steps along each round's own group, by vmap."""
    monkeypatch.setattr(mechanisms, "runs", lambda sigma, size, draw, window=32: [(0, np.zeros(size, np.int64))])
    one = scene(made, privacy={"noise": "site"}, rate=3.0)
    tables = {name: replace(table, kept=InMemory()) for name, table in one.tables.items()}
    lead, groups = one.task.lead(), {}
    ask = next(lead)
    weights = np.frombuffer(ask.state)
    for step in range(ROUNDS):
        bound = mechanism(one.spec, ask)
        words = 0
        for name, table in tables.items():
            words = words + guarded(bound, one.task.contribute(ask, table, seeded(name)), seeded(name)).words
            secret = table.kept.last()[: turns.SECRET].astype(np.uint8).tobytes()
            groups[name] = turns.turns(secret, int(table.train.sum()), BAND)
        total = decode(words, bound.grid)
        wanted = sum(
            hidden.clipped(rows_at(made[0], weights, table, "row")[groups[name] == step % BAND], 0.7)
            for name, table in tables.items()
        )
        try:
            ask = lead.send(Answer(Release(total, np.ones_like(total), frozenset(one.spec.sites)), bound.grid))
        except StopIteration:
            assert step == ROUNDS - 1
            return
        after = np.frombuffer(ask.state)
        if ask.kind is not Kind.TRAIN:
            break
        moved = (weights - after) * 135 / (3.0 * BAND)
        assert np.linalg.norm(moved - wanted) <= 8 * KEPT * 0.7 * 135
        assert np.linalg.norm(wanted) > 0.5
        weights = after


REFUSED = {
    "no noise": ({"privacy": {"noise": "none"}}, "training.band: correlates the noise of sums, and there is none"),
    "batch": ({"batch": 60}, "training.batch: groups have their turns, and are not drawn"),
    "few rounds": ({"rounds": 2}, "training.band: 3 groups, and 2 rounds"),
    "clip": ({"privacy": {"clip_follows": "median"}}, "privacy.clip_follows: sums hold gradients of earlier rounds"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_by_name(made, case):
    keys, said = REFUSED[case]
    lines = potluck.check(hidden.plan(made[1], **{"band": BAND, "rounds": 6} | keys)).errors
    assert [line for line in lines if line.startswith(said)], lines
    assert potluck.check(hidden.plan(made[1], band=BAND, rounds=6)).errors == []  # the control


def test_other_models_and_sites_that_drop_out_are_refused_by_name(made):
    linear = hidden.plan(None, band=BAND, rounds=6).set("model", {"kind": "logistic"})
    (line,) = potluck.check(linear).errors
    assert line.startswith("training.band: of models whose rows take no time all rows in each round have less noise")
    away = hidden.plan(made[1], band=BAND, rounds=6)
    away = away.set("federation.dropouts", 1).set("privacy.noise", "site")
    (line,) = potluck.check(away).errors
    assert line.startswith("federation.dropouts: every sum holds the ones before it")


def test_what_opens_is_said_and_what_stays(made):
    plan = hidden.plan(made[1], band=BAND, rounds=6)
    said = "each round the summed gradient of one of 3 groups of training rows, and parts of those of the 2 rounds"
    assert said in opened(plan.spec)
    assert any(line.startswith("privacy.redo: is 0") for line in potluck.check(plan).warnings)


def beside_the_mean(scene):
    """[rounds] noise in the prefix sums of a run, beside the mean gradient, by dense matrices."""
    noise, rounds = scene.bound.real(scene.bound.share)[0] * np.sqrt(3), scene.spec.training.rounds
    column, units = np.eye(rounds)[0], 7.0
    if scene.ask.band is not None:
        groups = scene.ask.band.groups
        column[:groups], units = np.array(coefficients(scene.ask.band)) / UNIT, 135 // groups
    solved = np.linalg.inv(toeplitz(column, np.zeros(rounds)))
    return noise / units * np.linalg.norm(np.tril(np.ones((rounds, rounds))) @ solved, axis=1)


@pytest.mark.slow
@pytest.mark.parametrize(("epsilon", "offered"), [(2.7, False), (4.5, False), (8.0, True)])
def test_check_offers_turns_where_their_noise_is_less_than_beside_drawn_rows(made, epsilon, offered):
    """Over all prefixes of a run: at epsilon 4.5 turns have a fifth less in the last one, and as much in all."""
    keys = {"rounds": 40, "data": {"max_rows": 60}, "privacy": {"epsilon": epsilon}}
    one, plain = Scene(made[1], batch=7, **keys), Scene(made[1], band=135 // 7, **keys)
    found = outlook(one.spec, one.ask)
    times = outlook(plain.spec, plain.ask).now.run / found.now.run
    drawn, turned = beside_the_mean(one), beside_the_mean(plain)
    assert times == pytest.approx(np.linalg.norm(drawn) / np.linalg.norm(turned), rel=1e-3)
    assert bool(times > 1.05) is offered
    assert bool(drawn[-1] > 1.2 * turned[-1]) is (epsilon > 4)
    assert [better.band for better in found.better if better.band] == ([135 // 7] if offered else [])
    said = f"training.band = {135 // 7} and federation.dropouts = 0"
    assert (said in " ".join(found.warnings())) is offered
