"""Networks whose rows or persons are drawn in secret: what leaves is the clipped gradients of those alone, as torch's
vmap has them, and the noise; and nothing but the sum follows from who was drawn."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from scipy import stats

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import potluck
from potluck.core.asks import Answer
from potluck.core.stages import RARE, Release
from potluck.dp.events import SampledGauss
from potluck.dp.mechanism import mechanism
from potluck.dp.noise import runs
from potluck.dp.sampling import Drawn
from potluck.learning.data.files import folder
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.learning.training import clipped_sums
from potluck.learning.training.slots import Slots, enough, shuffled
from potluck.learning.views import opened
from potluck.testing.draws import seeded
from support.files import pictures
from support.graph import hidden
from support.graph.noised import KEPT, Scene, clip_of_the_sum, half_the_noise, without_clip

pytestmark = pytest.mark.torch
BATCH, OF = 60, 135


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return hidden.made(tmp_path_factory.mktemp("graphs"), "perceptron")


def scene(graph, unit="row", **more):
    privacy = {"unit": unit, "clip": 0.7} | ({"rows_per_person": 3} if unit == "person" else {})
    data = {"person": "who"} if unit == "person" else {}
    keys = {"privacy": privacy, "data": data, "each": 4 if unit == "person" else 1, "batch": BATCH} | more
    return Scene(graph, **keys)


def compared(scene, module):
    """Of each site: what leaves it, and what the same coins, vmap and the noise's own sampler say of it."""
    for table in scene.tables.values():
        draw, again = seeded("site", table.site), seeded("site", table.site)
        rows = hidden.gradients(module, table)
        if scene.spec.privacy.unit == "person":
            who = table.person[table.train]
            rows = np.stack([rows[who == one][:3].sum(0) for one in np.unique(who)])
        again(8 * len(scene.slots(table, seeded("other")).order))
        again(8 * table.rows)
        coins = [int.from_bytes(again(8), "little") * OF < BATCH << 64 for _ in rows]
        noise = np.concatenate([part for _, part in runs(scene.bound.share[0], scene.ask.blocks[0].size, again)])
        assert 0 < sum(coins) < len(rows)
        wanted = hidden.clipped(rows[coins], scene.spec.privacy.clip)
        off = (scene.words(table, draw) - noise) * scene.step - wanted
        assert np.linalg.norm(off) <= KEPT * len(rows) * scene.spec.privacy.clip
        assert np.linalg.norm(wanted) > 4 * KEPT * len(rows) * scene.spec.privacy.clip


@pytest.mark.parametrize("unit", ["row", pytest.param("person", marks=pytest.mark.slow)])
def test_what_leaves_is_the_drawn_units_clipped_and_the_noise(graph, unit):
    module, path = graph
    compared(scene(path, unit), module)


def everyone(monkeypatch):
    monkeypatch.setattr(Slots, "among", lambda self, coins: (coins(len(self.units)), self)[1])


def one_coin_for_all(monkeypatch):
    def among(self, coins):
        return self if coins(len(self.units))[0] else replace(self, units=self.units[:0])

    monkeypatch.setattr(Slots, "among", among)


def the_first_of_an_order(monkeypatch):
    """As many as were drawn, in the order of the table: a batch of a shuffled epoch."""
    monkeypatch.setattr(
        Slots, "among", lambda self, coins: replace(self, units=self.units[: coins(len(self.units)).sum()])
    )


def twice_the_chance(monkeypatch):
    plain = Drawn.taken
    monkeypatch.setattr(Drawn, "taken", lambda self, *more: plain(replace(self, batch=2 * self.batch), *more))


BUGS = [
    without_clip, clip_of_the_sum, half_the_noise, everyone, one_coin_for_all, the_first_of_an_order, twice_the_chance,
]  # fmt: skip


@pytest.mark.parametrize("bug", BUGS)
def test_that_comparison_finds_bugs(graph, bug, monkeypatch):
    module, path = graph
    made = scene(path)
    bug(monkeypatch)
    with pytest.raises(AssertionError):
        compared(made, module)


def test_a_sum_is_charged_as_drawn_and_divided_by_the_batch(graph):
    made = scene(graph[1], rate=0.5, rounds=1)
    assert isinstance(made.bound.cost.event, SampledGauss)
    lead = made.task.lead()
    start = np.frombuffer(next(lead).state)
    total = np.ones(len(start))
    after = lead.send(Answer(Release(total, np.ones_like(total), frozenset()), made.bound.grid))
    np.testing.assert_allclose(np.frombuffer(after.state), start - 0.5 * total / BATCH, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("most", "chance"), [(100, (60, 135)), (2000, (1, 20)), (60000, (512, 60000)), (9, (1, 3))])
def test_there_are_slots_for_any_draw_and_hardly_more(most, chance):
    found, law = enough(most, chance), stats.binom(most, chance[0] / chance[1])
    assert law.sf(found) <= RARE
    assert found == most or law.sf(0.97 * found - 1) > RARE
    assert enough(most, None) == most


def test_as_many_slots_run_whoever_was_drawn_and_fewer_than_for_all(graph, monkeypatch):
    went = []
    plain = clipped_sums._gradients
    monkeypatch.setattr(clipped_sums, "_gradients", lambda work, some: went.append(len(some)) or plain(work, some))
    ran = []
    made = scene(graph[1], data={"max_rows": 2000})
    for which in (False, True, None):
        with monkeypatch.context() as patch:
            if which is not None:
                patch.setattr(
                    Slots, "among", lambda self, coins, w=which: replace(self, units=self.units[: 45 if w else 0])
                )
            made.words(made.tables["a"], seeded(1), noise=False)
        ran.append(went.copy())
        went.clear()
    assert ran[0] == ran[1] == ran[2]
    assert ran[0] == [231] * 5  # instead of 2,000 slots for all


@pytest.mark.slow
@pytest.mark.parametrize("batch", [10, pytest.param(None, marks=pytest.mark.slow)])
def test_as_many_files_are_opened_whoever_was_drawn_or_however_many_there_are(batch, tmp_path, monkeypatch):
    """Nothing is kept of what was decoded: what reading takes would say how many were drawn."""
    noise = {"noise": "site", "unit": "row", "epsilon": 4.0, "delta": 1e-5, "clip": 1.0}
    training = {"method": "gradient", "rounds": 1, "expected_rows": 60} | ({"batch": batch} if batch else {})
    spec = pictures.plan(pictures.graph(tmp_path / "net.graph"), privacy=noise, training=training).spec
    task, opened = build(spec), []
    ask = next(task.lead())
    plain = folder.read
    monkeypatch.setattr(folder, "read", lambda root, path: opened.append(path) or plain(root, path))
    counts = []
    for rows, share in ((24, 0.0), (24, 0.4), (24, 1.0), (12, 0.5)):
        table = read(pictures.written_to(tmp_path / f"{rows} {share}", rows)["a"], spec, "a")
        table.cells["image"].reader.store.most = 0
        table.cells["image"].reader.store._kept.clear()
        (given,) = task.contribute(ask, table, seeded(rows))
        opened.clear()
        bound = mechanism(spec, ask)
        given.among(lambda count, share=share: np.arange(count) < share * count).encode(bound.grid, bound.limit)
        assert len(set(opened)) == min(rows, len(given.order))
        counts.append(len(opened))
    assert counts == [len(given.order)] * 4


def test_a_surplus_is_left_out_of_a_drawn_sum_alone():
    units, order = np.arange(5)[:, None], shuffled(3, seeded(1))
    made = Slots(None, None, None, None, None, units, order, np.arange(5), 0)
    with pytest.raises(ValueError, match="more units"):
        _ = made.slots
    assert sorted(made.among(lambda count: np.ones(count, np.bool_)).slots.ravel().tolist()) == [0, 1, 2]


@pytest.mark.slow
def test_check_finds_nothing_wrong(graph):
    assert potluck.check(hidden.plan(graph[1], batch=BATCH)).errors == []


def test_what_opens_is_said(graph):
    made = hidden.plan(graph[1], batch=BATCH)
    assert "those training rows that each site draws for it in secret" in opened(made.spec)
