"""Networks by `gradient` with noise: what opens is the sum of clipped gradients as torch's vmap has them, and the noise
that was drawn; one unit moves it by no more than the noise is made for."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

import potluck
from potluck.core.asks import Answer
from potluck.core.fixed import decode, signed
from potluck.core.stages import Release
from potluck.dp.mechanism import mechanism
from potluck.dp.noise import runs
from potluck.learning.data.table import read
from potluck.learning.evaluation import steady
from potluck.learning.graph.per_row import foreseen
from potluck.learning.loops import build
from potluck.learning.models import graphs
from potluck.learning.models.model import model
from potluck.learning.models.room import room
from potluck.learning.training import clipped_sums
from potluck.learning.training.slots import Net, Slots, net_of, ready, shuffled, units_of
from potluck.learning.views import opened
from potluck.tasks.sums import halves
from potluck.testing.draws import seeded
from support.dp import fixed_draws
from support.dp.redone import thrice
from support.examples import examples
from support.graph import hidden
from support.graph.noised import KEPT, Scene, clip_of_the_sum, half_the_noise, without_clip

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs")
    return {name: hidden.made(folder, name) for name in hidden.MODULES}


def halfway(module, graph):
    """A plan's first sum, whose clip cuts about half of the rows."""
    table = Scene(graph).tables["a"]
    return Scene(graph, privacy={"clip": float(np.median(np.linalg.norm(hidden.gradients(module, table), axis=1)))})


def compared(scene, module):
    """Of each site: what leaves it, and what vmap and the noise's own sampler say of it."""
    for table in scene.tables.values():
        draw, again = seeded("site", table.site), seeded("site", table.site)
        again(8 * len(scene.slots(table, seeded("other")).order))
        again(8 * table.rows)
        noise = np.concatenate([part for _, part in runs(scene.bound.share[0], scene.ask.blocks[0].size, again)])
        units, clip = hidden.gradients(module, table), scene.spec.privacy.clip
        assert 0.1 < (np.linalg.norm(units, axis=1) > clip).mean() < 0.9
        wanted = hidden.clipped(units, clip)
        off = (scene.words(table, draw) - noise) * scene.step - wanted
        assert np.linalg.norm(off) <= KEPT * len(units) * clip
        assert np.linalg.norm(wanted) > 8 * KEPT * len(units) * clip


@pytest.mark.parametrize("name", ["perceptron", "picture", pytest.param("encoder", marks=pytest.mark.slow)])
def test_what_leaves_is_vmaps_clipped_rows_and_the_noise_that_was_drawn(files, name):
    module, graph = files[name]
    compared(halfway(module, graph), module)


@pytest.mark.parametrize("bug", [without_clip, clip_of_the_sum, half_the_noise])
def test_that_comparison_finds_bugs(files, bug, monkeypatch):
    module, graph = files["perceptron"]
    scene = halfway(module, graph)
    bug(monkeypatch)
    with pytest.raises(AssertionError):
        compared(scene, module)


def test_layers_are_clipped_as_their_graph_and_keep_their_own_order():
    scene = Scene(None, privacy={"clip": 0.4})
    start = np.frombuffer(scene.ask.state)
    module = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))
    places, parts = [slice(0, 20), slice(20, 25), slice(25, 30), slice(30, 31)], list(module.parameters())
    with torch.no_grad():
        for part, where in zip(parts, places, strict=True):
            part.copy_(torch.tensor(start[where].reshape(tuple(part.shape)[::-1]).T))
    for table in scene.tables.values():
        units = hidden.gradients(module, table)
        wide = np.split(hidden.clipped(units, 0.4), [20, 25, 30])
        wanted = np.concatenate([wide[0].reshape(5, 4).T.ravel(), wide[1], wide[2], wide[3]])
        assert np.linalg.norm(scene.added(table) - wanted) <= KEPT * len(units) * 0.4
        assert np.linalg.norm(wanted) > 1


@pytest.mark.parametrize("unit", ["row", "person"])
@settings(max_examples=examples(10), deadline=None)
@given(st.data())
def test_a_unit_less_moves_the_sum_by_no_more_than_the_noise_is_made_for(files, unit, data):
    """Rows of every size stand in the others: what is no number, large, and what is there several times."""
    clip = data.draw(st.sampled_from([0.01, 0.7, 50.0]))
    scene = _scene(files, unit, clip)
    table, scale = scene.tables["a"], data.draw(st.sampled_from([1.0, 1e3, 1e30]))
    features = scale * table.features
    features[3], features[5] = np.nan, features[4]
    whole = scene.slots(replace(table, features=features), seeded(data.draw(st.integers(0, 9))))
    most = scene.bound.limit.l2[0] / scene.step
    before = signed(whole.encode(scene.bound.grid, scene.bound.limit).words).astype(float)
    for place in data.draw(st.lists(st.integers(0, len(whole.units) - 1), min_size=1, max_size=3)):
        fewer = whole.units.copy()
        fewer[place] = -1  # the slots of others are as likely without it as where they are
        after = signed(replace(whole, units=fewer).encode(scene.bound.grid, scene.bound.limit).words)
        assert np.linalg.norm(before - after) <= most


def _scene(files, unit, clip, each=4):
    privacy = {"unit": unit, "clip": clip} | ({"rows_per_person": 3} if unit == "person" else {})
    data = {"person": "who"} if unit == "person" else {}
    return Scene(files["perceptron"][1], each=each, privacy=privacy, data=data)


def test_persons_are_clipped_whole_with_their_first_rows_alone(files):
    module, scene = files["perceptron"][0], _scene(files, "person", 1.0)
    for table in scene.tables.values():
        rows, who = hidden.gradients(module, replace(table, beyond=table.test[:0])), table.person[~table.test]
        units = np.stack([rows[who == one][:3].sum(0) for one in dict.fromkeys(who.tolist())])
        assert max(np.bincount(who)) == 4
        assert (np.linalg.norm(units, axis=1) > 1).any()
        wanted = hidden.clipped(units, 1.0)
        assert np.linalg.norm(scene.added(table) - wanted) <= KEPT * len(units)
        every = hidden.clipped(np.stack([rows[who == one].sum(0) for one in set(who.tolist())]), 1.0)
        assert np.linalg.norm(every - wanted) > 0.2
        assert sorted(units_of(scene.spec, table).ravel().tolist()).count(-1) == 3 * len(units) - sum(
            min(3, n) for n in np.bincount(who)
        )


def test_a_row_that_is_no_number_adds_nothing_and_stops_nobody(files):
    scene = Scene(files["picture"][1])
    table, at = scene.tables["a"], 7
    broken = table.features.copy()
    row = np.flatnonzero(table.train)[at]
    broken[row] = np.nan
    whole = scene.slots(replace(table, features=broken), seeded(1))
    fewer = np.where(whole.units == row, -1, whole.units)
    encoded = [
        replace(whole, units=one).encode(scene.bound.grid, scene.bound.limit).words for one in (whole.units, fewer)
    ]
    assert (encoded[0] == encoded[1]).all()
    assert encoded[0].any()


@pytest.mark.parametrize("filled", [0, 1, 45])
def test_a_site_goes_through_as_many_slots_whatever_it_holds(files, filled, monkeypatch):
    scene, went = Scene(files["perceptron"][1]), []
    plain = clipped_sums._gradients
    monkeypatch.setattr(clipped_sums, "_gradients", lambda work, some: went.append(some.shape) or plain(work, some))
    table = scene.tables["a"]
    test = np.ones(table.rows, np.bool_)
    test[:filled] = False
    found = scene.words(replace(table, test=test), seeded(1), noise=False)
    assert went == [(100, 1)]  # max_rows
    assert found.any() == (filled > 0)


@pytest.mark.parametrize(
    ("slots", "each", "size"), [(1, 1, 16), (100, 1, 100), (256, 1, 256), (340, 1, 170), (5, 4, 5)]
)
def test_microbatches_are_as_few_and_as_even_as_may_be(files, slots, each, size):
    net = net_of(hidden.plan(files["perceptron"][1]).spec, 0)
    assert graphs.units_at_once(net.network, net.trained, 1)[0] == 256
    assert net.at_once(slots, each) == size


def test_persons_with_fewer_rows_count_where_a_graph_has_no_derivative_at_zeros(tmp_path, monkeypatch):
    monkeypatch.setitem(hidden.MODULES, "direction", Direction)
    path = hidden.made(tmp_path, "direction")[1]
    sums = []
    for most in (1, 3):
        privacy = {"unit": "person", "clip": 0.7, "rows_per_person": most}
        made = Scene(path, each=1, privacy=privacy, data={"person": "who"})
        sums.append(made.added(made.tables["a"]))
    assert np.linalg.norm(sums[0]) > 1
    np.testing.assert_allclose(sums[1], sums[0], atol=KEPT * 60)


class Direction(torch.nn.Linear):
    """Of features, where they have one."""

    def __init__(self):
        torch.manual_seed(0)
        super().__init__(4, 1)

    def forward(self, features):
        return super().forward(features / (features * features).sum(1, keepdim=True).sqrt())


def placed(units, count, draw):
    made = Slots(None, None, None, None, None, np.array(units), shuffled(count, draw), np.arange(0), 0)
    return made.slots[:, 0].tolist()


def test_every_way_to_place_units_is_as_likely_and_a_unit_less_leaves_the_chances_of_others():
    ways = {}
    for number in range(6000):
        found = tuple(placed([[5], [6]], 3, seeded(number)))
        ways[found] = ways.get(found, 0) + 1
    assert len(ways) == 6
    # 1,000 of each expected: six standard deviations are 173.
    assert all(abs(count - 1000) < 173 for count in ways.values())
    with pytest.raises(ValueError, match="more units"):
        placed([[0]] * 4, 3, seeded(0))


def test_keys_that_meet_are_drawn_again():
    given = iter([b"\1" * 24, (b"\1" * 8 + b"\2" * 8 + b"\1" * 8), b"\3" * 8 + b"\2" * 8 + b"\1" * 8])
    assert placed([[7]], 3, lambda size: next(given)) == [-1, -1, 7]
    assert next(given, None) is None


def test_slots_of_two_sums_are_drawn_apart(files):
    scene = Scene(files["perceptron"][1])
    table, draw = scene.tables["a"], seeded(1)
    first, second = (scene.slots(table, draw).slots for _ in range(2))
    assert (np.sort(first.ravel()) == np.sort(second.ravel())).all()
    assert (first != second).any()


@pytest.fixture
def fixed(monkeypatch):
    monkeypatch.setattr(halves, "contribution", fixed_draws.contribution)


def digest_of(files, word, unit, folder, **training):
    privacy = {"noise": "site", "unit": unit} | ({"rows_per_person": 2} if unit == "person" else {})
    data = {"person": "who"} if unit == "person" else {}
    made = hidden.plan(files["picture"][1], word, privacy, data, **training)
    return potluck.run(made, hidden.frames(each=2), ledger=folder).document["model"]["digest"]


@pytest.mark.parametrize(
    "word", ["mask", *(pytest.param(one, marks=pytest.mark.slow) for one in ("share", "he", "tee"))]
)
@pytest.mark.parametrize("unit", ["row", pytest.param("person", marks=pytest.mark.slow)])
@pytest.mark.parametrize("batch", [{"batch": 60}, pytest.param({}, marks=pytest.mark.slow)], ids=["batch", "all"])
def test_protections_open_the_same_noised_sums(files, word, unit, batch, fixed, request, tmp_path):
    if word in ("he", "share"):
        request.getfixturevalue({"he": "he_engine", "share": "mpc_engine"}[word])
    found = {one: digest_of(files, one, unit, tmp_path, **batch) for one in (word, "clear")}
    assert found[word] == found["clear"]


@pytest.mark.slow
def test_noise_is_drawn_afresh_in_every_run(files, tmp_path):
    assert digest_of(files, "mask", "row", tmp_path) != digest_of(files, "mask", "row", tmp_path)


@pytest.mark.parametrize("batch", [{}, {"batch": 60}], ids=["all", "batch"])
def test_a_sum_asked_for_again_is_placed_again_and_charged_as_another(files, batch, tmp_path):
    spec = hidden.plan(files["perceptron"][1], privacy={"redo": 1}, rounds=1, **batch).spec
    _, ledgers = thrice(spec, {name: read(one, spec, name) for name, one in hidden.frames().items()}, tmp_path)
    for charged, spent in ledgers:
        assert len(charged) == 2
        assert spent <= 8.0


def test_the_opened_sum_is_divided_by_the_expected_rows_alone(files):
    scene = Scene(files["perceptron"][1], rate=0.5, rounds=1)
    lead_ = scene.task.lead()
    start = np.frombuffer(next(lead_).state)
    total = decode(scene.words(scene.tables["a"], seeded(1)).astype(np.uint32), scene.bound.grid)
    after = lead_.send(Answer(Release(total, np.ones_like(total), frozenset()), scene.bound.grid))
    np.testing.assert_allclose(np.frombuffer(after.state), start - 0.5 * total / 135, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["layers", "perceptron"])
def test_what_takes_seconds_to_load_is_loaded_before_a_round(files, name, monkeypatch):
    """Else a site's first gradient comes after a round's patience, on a busy machine."""
    asked = []
    monkeypatch.setattr(Net, "at_once", lambda self, slots, each: asked.append((slots, each)))
    graph = files[name][1] if name in files else None
    ready(hidden.plan(graph).spec)
    assert asked == [(100, 1)]
    ready(hidden.plan(graph).set("privacy", {"noise": "none"}).spec)
    assert asked == [(100, 1)]


class Masked(nn.Module):
    """Attention that drops out by itself and takes a weight for its mask: what it drew for a row nobody knows."""

    def __init__(self):
        super().__init__()
        self.bias, self.head = nn.Parameter(torch.zeros(2, 2)), nn.Linear(2, 1)

    def forward(self, features):
        x = features.reshape(-1, 1, 2, 2)
        made = functional.scaled_dot_product_attention(x, x, x, attn_mask=self.bias, dropout_p=0.5 * self.training)
        return self.head(made.mean((1, 2)))


REFUSED = {
    "a site": ({"privacy": {"unit": "site"}}, "training.method: gradient clips each row or person of a network"),
    "rows of a person": (
        {"privacy": {"unit": "person"}, "data": {"person": "who"}},
        "privacy.rows_per_person: is missing: it bounds what a person adds to a network's gradient",
    ),
    "small": ({"privacy": {"clip": 1e-7}}, "privacy.clip: 1e-07 does not fit a network's numbers"),
    "large": ({"privacy": {"clip": 1e7}}, "privacy.clip: 1e+07 does not fit a network's numbers"),
    "expected": ({"expected_rows": None}, "training.expected_rows: is missing: with noise"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_by_name(files, case):
    keys, said = REFUSED[case]
    if case == "expected":
        made = hidden.plan(files["perceptron"][1])
        made = made.set("training", {"method": "gradient", "rounds": 2, "rate": 0.2})
    else:
        made = hidden.plan(files["perceptron"][1], **keys)
    lines = potluck.check(made).errors
    assert [line for line in lines if line.startswith(said)], lines
    assert len(lines) == 1
    assert potluck.check(hidden.plan(files["perceptron"][1])).errors == []  # the control


def test_a_node_that_draws_beside_a_weight_that_trains_is_refused_by_its_place(tmp_path):
    path = tmp_path / "masked.graph"
    potluck.graph(Masked(), inputs={"features": [4]}, path=path)
    (line,) = potluck.check(hidden.plan(path)).errors
    assert "(scaled_dot_product_attention): each row's gradient of what it takes cannot be told apart" in line
    assert "hint: leave these weights frozen" in line
    frozen = hidden.plan(path).set("model.trainable", ["head.*"])
    assert potluck.check(frozen).errors == []


def test_slots_that_mostly_stand_empty_are_warned_of(files):
    many = hidden.plan(files["perceptron"][1], data={"max_rows": 10_000})
    assert any("data.max_rows: with noise each site goes through" in line for line in potluck.check(many).warnings)
    few = hidden.plan(files["perceptron"][1])
    assert not any(line.startswith("data.max_rows") for line in potluck.check(few).warnings)


def test_a_long_gradient_has_a_grid_that_leaves_nearly_all_of_the_clip(tmp_path):
    path = tmp_path / "wide.graph"
    potluck.graph(nn.Sequential(nn.Linear(4, 50_000), nn.Linear(50_000, 1)), inputs={"features": [4]}, path=path)
    for most, bits in ((500, 32), (1_000_000, 64)):
        spec = hidden.plan(path, data={"max_rows": most}).spec
        bound = mechanism(spec, next(build(spec).lead()))
        (part,) = bound.grid.parts
        assert bound.grid.bits == bits
        assert part.step * np.sqrt(part.size) <= 2.0**-8


def test_owners_are_told_what_it_takes_and_what_opens(files):
    made = hidden.plan(files["encoder"][1])
    spec = made.spec
    units, need = graphs.microbatch(spec)
    assert units == graphs.rows_held(spec) == foreseen.MOST_UNITS
    assert need == graphs.needed(spec) == room(spec).batch
    assert "each round the summed gradient of all training rows" in opened(spec)


@pytest.mark.parametrize("name", ["layers", *hidden.MODULES])
def test_a_held_out_row_has_the_same_score_whatever_others_there_are(files, name):
    scene = Scene(None if name == "layers" else files[name][1], rows=200, data={"max_rows": 200})
    held = model(scene.spec, np.frombuffer(scene.ask.state))
    rows = scene.tables["a"].inputs
    whole = steady.margins(scene.spec, held, rows)
    np.testing.assert_allclose(whole, held.margins(rows), rtol=0, atol=1e-5)
    for gone in (0, 3, 64, 199):
        kept = np.delete(np.arange(200), gone)
        assert (steady.margins(scene.spec, held, rows[kept]) == whole[kept]).all()
