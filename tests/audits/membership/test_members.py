"""Who was trained on is told of a model that learnt its rows by heart, and of nothing else."""

from dataclasses import replace

import numpy as np
import pytest

import potluck
from potluck.audits.attack import Over, Until
from potluck.audits.attacks import ATTACKS
from potluck.audits.membership.candidates import candidates, members
from potluck.audits.membership.lira import LIRA
from potluck.audits.membership.loss import LOSS
from potluck.audits.membership.shadows import grown
from potluck.audits.record import Record
from potluck.audits.seen import seen_by
from potluck.core.seeded import generator
from potluck.core.wire import dump, load
from potluck.tasks.announcement import Announcement
from potluck.tasks.sources import tables
from support.audits.recorded import changed
from support.audits.wide import frames, plan

FOREVER = Until(float("inf"), generator(0))
NAMES = ("loss", "lira", "lira offline", "rmia")


def told(folder, rows, who="server", names=NAMES):
    found = {one.name: one for one in potluck.attack(folder, who, data=rows).results}
    return {name: found[name] for name in names}


def asked(folder, spec, rows, *names):
    """What these parties know, with the rows that are asked about; and who trained."""
    spec, truth = truth_of(spec, rows)
    seen = seen_by(Record.read(folder / "parcels"), spec, set(names))
    return replace(seen, candidates=candidates(spec, truth, seen.names)), truth


def truth_of(spec, rows):
    spec, found = tables(spec, rows)
    return spec, {site.name: table for site, table in found.items()}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    spec, rows = plan(word="mask"), frames(40)
    return potluck.run(spec, rows, out=tmp_path_factory.mktemp("wide") / "run", record=True).folder, spec, rows


@pytest.mark.parametrize("names", [NAMES[:2], pytest.param(NAMES[2:], marks=pytest.mark.slow)])
def test_members_are_told_from_others_whoever_protects_the_sums(run, only, names):
    only(*(one for one in ATTACKS if one.name in names))
    for one in told(run[0], run[2], names=names).values():
        assert one.tried
        assert one.of == ("a", "b", "c")
        assert one.verdict.succeeded
        assert one.verdict.baseline == 0.01
        assert one.control
        assert "where guessing does 50 times" in one.verdict.words


@pytest.mark.slow
def test_a_site_alone_tells_the_others_rows_by_the_models_that_it_read(run):
    seen, truth = asked(*run, "a")
    (it,) = LIRA.tried(seen, FOREVER)
    assert it.of == {"b", "c"}
    assert not seen.sums
    assert it.judged(truth).succeeded


@pytest.mark.slow
def test_models_that_were_read_as_zeros_tell_nobody(run, tmp_path):
    def zeroed(line, body):
        if line["step"] != "begin":
            return body
        said = load(body, Announcement)
        return dump(Announcement(said.plan, said.kind, said.step, bytes(len(said.state))))

    seen, truth = asked(changed(run[0], tmp_path / "zeros", zeroed), *run[1:], "server")
    for one in (LOSS, LIRA):
        assert one.fits(seen) is None
        (it,) = one.tried(seen, FOREVER)
        assert it.judged(truth).succeeded is False


@pytest.mark.slow
def test_an_attack_scores_rows_by_their_numbers_and_not_by_who_trained(run):
    """The same rows, of which other ones are said to have trained."""
    seen, truth = asked(*run, "server")
    other = {site: replace(table, test=~table.test) for site, table in truth.items()}
    turned = replace(seen, candidates=candidates(seen.plan, other, seen.names))
    assert turned.candidates.share == seen.candidates.share
    (first,), (second,) = (LIRA.tried(one, Until(float("inf"), generator(5))) for one in (seen, turned))
    assert np.array_equal(first.values, second.values)
    assert first.scores(truth).auc == pytest.approx(1 - first.scores(other).auc)


def test_candidates_are_the_rows_of_others_and_flags_are_theirs():
    spec, truth = truth_of(plan(), frames(40))
    found = candidates(spec, truth, frozenset({"server", "b"}))
    inside = members(spec, truth, found.of)
    assert found.of == {"a", "c"}
    assert len(inside) == found.count == 80
    assert 0.1 < inside.mean() < 0.5
    assert found.share == pytest.approx(0.3)
    kept = {row.tobytes() for name in "ac" for row in truth[name].features[truth[name].train]}
    assert [row.tobytes() in kept for row in found.rows.features[:80]] == inside[found.unit].tolist()
    own = {row.tobytes() for row in truth["b"].features[truth["b"].train]}
    assert {row.tobytes() for row in found.rows.features[80:]} == own
    assert not found.rows.test.any()


def test_rows_that_are_equal_at_several_sites_are_one_unit_since_one_hash_decides():
    rows = frames(40)
    for site in "bc":
        rows[site].iloc[:10] = rows["a"].iloc[:10]
    rows["a"].iloc[39] = rows["a"].iloc[0]  # a second one of its kind has a hash of its own
    spec, truth = truth_of(plan(), rows)
    found = candidates(spec, truth, frozenset({"server"}))
    inside = members(spec, truth, found.of)
    assert len(inside) == 100
    assert found.count == 120
    assert sorted(np.bincount(found.unit)) == [1] * 90 + [3] * 10
    assert np.array_equal(np.concatenate([truth[name].train for name in "abc"]), inside[found.unit])


def test_a_person_is_asked_about_once_with_all_rows_at_all_sites():
    """One hash of a name decides at every site: as two, scores that know nothing would look as if they did."""
    rows = frames(40)
    for site, frame in rows.items():
        frame["who"] = [f"p{place % 15}" if place % 15 < 10 else f"{site}{place % 15}" for place in range(40)]
    spec, truth = truth_of(plan(person="who"), rows)
    found = candidates(spec, truth, frozenset({"server"}))
    inside = members(spec, truth, found.of)
    assert len(inside) == 10 + 3 * 5
    assert found.count == 120
    assert sorted(np.bincount(found.unit)) == sorted([9] * 10 + [2] * 15)
    kept = {row.tobytes() for table in truth.values() for row in table.features[table.train]}
    assert np.array_equal([row.tobytes() in kept for row in found.rows.features], inside[found.unit])
    assert found.by_unit(inside[found.unit].astype(float)) == pytest.approx(inside.astype(float))


@pytest.mark.parametrize(("unit", "times"), [("row", 9), ("person", 3), ("site", 3)])
def test_a_candidate_is_as_many_of_what_noise_hides_as_it_has(unit, times):
    rows = frames(40)
    for frame in rows.values():
        frame["who"] = [f"p{place % 15}" for place in range(40)]
    privacy = {"noise": "site", "unit": unit, "epsilon": 1.0, "delta": 1e-5, "clip": 1.0, "evaluation": 0.5}
    spec, truth = truth_of(plan(person="who", privacy=privacy, method="gradient", expected_rows=36), rows)
    assert candidates(spec, truth, frozenset({"server"})).times == times


@pytest.mark.parametrize("split", [(), (("column", "fold"),)])
def test_without_rows_that_a_hash_held_out_there_is_nothing_to_ask(run, split):
    rows = frames(30)
    for frame in rows.values():
        frame["fold"] = ["test" if place % 3 == 0 else "train" for place in range(30)]
    spec, truth = truth_of(plan(split), rows)
    assert candidates(spec, truth, frozenset({"server"})) is None
    nobody = replace(asked(*run, "server")[0], candidates=None)
    assert LOSS.fits(nobody).endswith("which trained: --data says where rows lie")
    assert LOSS.fits(replace(nobody, plan=spec)).endswith("which trained: the plan has no data.split.test")


@pytest.mark.slow
def test_without_time_for_models_of_its_own_it_says_so(run):
    seen, truth = asked(*run, "server")
    (one,) = LIRA.tried(seen, Until(0.0, generator(0)))
    assert one.judged(truth).succeeded is None
    assert "its time was up (--minutes)" in one.judged(truth).words
    with pytest.raises(Over):  # no control was made, which is none that failed
        LIRA.control(seen, Until(0.0, generator(0)))


@pytest.mark.slow
def test_each_candidate_is_in_as_many_models_as_the_plan_says(run):
    seen, _ = asked(*run, "server")
    shadows = grown(seen, FOREVER)
    assert len(shadows) == 32
    assert (np.sum([one.inside for one in shadows], axis=0) == 8).all()
    assert (np.sum([one.inside for one in shadows[:8]], axis=0) == 2).all()


@pytest.mark.slow
def test_models_that_were_trained_before_time_was_up_are_kept(run):
    seen, _ = asked(*run, "server")
    whole = grown(seen, FOREVER)
    again = replace(seen, candidates=replace(seen.candidates, shadows=whole[:13]))
    for one, other in zip(grown(again, FOREVER), whole, strict=True):
        assert np.array_equal(one.inside, other.inside)
        assert np.array_equal(one.surer, other.surer)
    cut = replace(seen, candidates=replace(seen.candidates, shadows=whole[:13]))
    assert len(grown(cut, Until(0.0, generator(0)))) == 8


def test_the_table_has_them():
    assert set(NAMES) <= {one.name for one in ATTACKS}
