"""Exact sums of several rounds say of each row whether it trained, under masks too; noise, and zeros, say nothing."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from scipy.optimize import lsq_linear

import potluck
from potluck.audits.attack import Until
from potluck.audits.attacks import ATTACKS
from potluck.audits.membership.candidates import candidates, members
from potluck.audits.membership.equations import EQUATIONS, keys, solved
from potluck.audits.record import Record
from potluck.audits.seen import seen_by
from potluck.audits.trial import trials
from potluck.core.seeded import generator
from potluck.core.wire import dump, load
from potluck.tasks.sources import by_site
from potluck.tasks.sums.halves import Opening
from support.audits.recorded import changed
from support.audits.wide import frames, plan

FOREVER = Until(float("inf"), generator(0))
STEPS = {"method": "gradient", "rate": 2.0, "rounds": 6}
NOISE = {"unit": "row", "epsilon": 2.0, "delta": 1e-5, "clip": 1.0, "evaluation": 1.0}


def ran(folder, spec, rows):
    return potluck.run(spec, rows, out=folder / "run", ledger=folder / "ledger", record=True).folder


def asked(folder, spec, rows, *names):
    spec, truth = by_site(spec, rows)
    seen = seen_by(Record.read(folder / "parcels"), spec, set(names))
    return replace(seen, candidates=candidates(spec, truth, seen.names)), truth


def flags(seen, truth):
    """(what the attack says, who trained)."""
    (found,) = EQUATIONS.tried(seen, FOREVER)
    return found.values > 0.5, members(seen.plan, truth, found.of)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Six sums of 33 numbers each under masks, over some of 72 rows."""
    spec, rows = plan((("test", 0.4),), "mask", **STEPS), frames(24)
    return ran(tmp_path_factory.mktemp("wide"), spec, rows), spec, rows


@pytest.mark.parametrize("names", [("server",), ("server", "a")])
def test_masks_do_not_hide_from_a_server_which_rows_are_in_exact_sums(run, names):
    seen, truth = asked(*run, *names)
    assert EQUATIONS.fits(seen) is None
    said, inside = flags(seen, truth)
    assert 24 < len(inside) == 24 * len(seen.candidates.of)
    assert np.array_equal(said, inside)


@pytest.mark.slow
def test_it_is_in_the_table_and_its_control_succeeds(run):
    seen, truth = asked(*run, "server")
    assert EQUATIONS in ATTACKS
    (one,) = trials(seen, truth, 60.0, 0, lambda name: None, (EQUATIONS,))
    assert one.verdict.succeeded
    assert one.verdict.score == 1.0
    assert one.control


def test_sums_that_were_read_as_zeros_tell_nobody(run, tmp_path):
    def zeroed(line, body):
        if line["step"] != "opened":
            return body
        opened = load(body, Opening)
        return dump(Opening(opened.givers, bytes(len(opened.words))))

    seen, truth = asked(changed(run[0], tmp_path / "zeros", zeroed), *run[1:], "server")
    (found,) = EQUATIONS.tried(seen, FOREVER)
    assert found.judged(truth).succeeded is False


@pytest.mark.slow
def test_it_does_not_know_who_trained(run):
    seen, truth = asked(*run, "server")
    other = {site: replace(table, test=~table.test) for site, table in truth.items()}
    turned = replace(seen, candidates=replace(candidates(seen.plan, other, seen.names), share=seen.candidates.share))
    (first,), (second,) = EQUATIONS.tried(seen, FOREVER), EQUATIONS.tried(turned, FOREVER)
    assert np.array_equal(first.values, second.values)


@pytest.mark.slow
def test_a_site_alone_has_no_equations_and_without_time_nothing_is_said(run):
    assert EQUATIONS.fits(asked(*run, "a")[0]) == "no sum of these rows was read"
    seen, truth = asked(*run, "server")
    (found,) = EQUATIONS.tried(seen, Until(0.0, generator(0)))
    assert found.judged(truth).succeeded is None
    assert "its time was up" in found.judged(truth).words


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"privacy": NOISE | {"noise": "site"}, "expected_rows": 40} | STEPS, "the sums that are opened have noise"),
        pytest.param(
            {"privacy": NOISE | {"noise": "shared"}, "expected_rows": 40} | STEPS,
            "the sums that are opened have noise",
            marks=pytest.mark.slow,
        ),
        ({"method": "average", "rounds": 3}, "what a site adds is no sum of what its rows add"),
        (STEPS | {"aggregation": "median"}, "it is no sum"),
    ],
)
def test_noise_and_sums_of_other_things_are_not_tried(run, other, said):
    seen, _ = asked(*run, "server")
    spec = by_site(plan((("test", 0.4),), "mask", **other), run[2])[0]
    assert said in EQUATIONS.fits(replace(seen, plan=spec))


@pytest.mark.slow
def test_noise_that_a_server_adds_is_none_to_the_server(tmp_path):
    spec, rows = (
        plan((("test", 0.4),), "mask", privacy=NOISE | {"noise": "reveal"}, **STEPS | {"expected_rows": 72}),
        frames(40),
    )
    seen, truth = asked(ran(tmp_path, spec, rows), spec, rows, "server")
    (found,) = EQUATIONS.tried(seen, FOREVER)
    assert found.judged(truth).succeeded


@pytest.mark.slow
def test_a_person_at_two_sites_is_one_unknown(tmp_path):
    rows = frames(24)
    for frame in rows.values():
        frame["who"] = [f"p{place}" for place in range(24)]
    spec = plan((("test", 0.4),), "mask", person="who", **STEPS)
    seen, truth = asked(ran(tmp_path, spec, rows), spec, rows, "server")
    said, inside = flags(seen, truth)
    assert len(inside) == 24
    assert np.array_equal(said, inside)


@pytest.mark.slow
def test_of_a_network_too(tmp_path):
    network = {"kind": "network", "layers": [16]}
    spec = plan((("test", 0.4),), "mask", model=network, method="gradient", rate=0.1, rounds=3)
    rows = frames(40)
    seen, truth = asked(ran(tmp_path, spec, rows), spec, rows, "server")
    said, inside = flags(seen, truth)
    assert np.array_equal(said, inside)


@pytest.fixture(scope="module")
def batched(tmp_path_factory):
    """Sums of 33 numbers, each over about 108 of 216 rows that a public seed draws; equal rows at a site."""
    steps = STEPS | {"rounds": 16, "batch": 108, "expected_rows": 216}
    spec, rows = plan((("test", 0.4),), "mask", **steps), frames(120)
    for frame in rows.values():
        frame.iloc[100:110] = frame.iloc[:10].to_numpy()
    return ran(tmp_path_factory.mktemp("batch"), spec, rows), spec, rows


@pytest.mark.slow
def test_rows_that_a_public_seed_draws_are_as_well_known(batched):
    """The known answer: the keys by which each site itself drew its rows."""
    seen, truth = asked(*batched, "server")
    assert EQUATIONS.fits(seen) is None
    assert np.array_equal(keys(seen.candidates), np.concatenate([truth[name].keys for name in "abc"]))
    (found,) = EQUATIONS.tried(seen, FOREVER)
    told = found.scores(truth)
    assert told.caught() > 0.5
    assert told.auc > 0.95


@pytest.mark.slow
def test_whoever_draws_by_another_seed_has_no_equations(batched):
    seen, truth = asked(*batched, "server")
    spec = msgspec.structs.replace(seen.plan, training=msgspec.structs.replace(seen.plan.training, seed=1))
    (found,) = EQUATIONS.tried(replace(seen, plan=spec), FOREVER)
    assert found.scores(truth).caught() < 0.2


def test_flags_are_those_that_solve_exact_equations():
    """The known answer is made: sums of chosen columns, cut off on a grid."""
    draw = np.random.default_rng(0)
    adds, inside = draw.normal(size=(90, 60)), draw.random(60) < 0.3
    off = np.full(90, 2.0**-30)
    assert solved(adds, adds @ inside, off, 0.3, FOREVER) == pytest.approx(inside.astype(float), abs=1e-6)
    few = solved(adds[:20], adds[:20] @ inside, off[:20], 0.3, FOREVER)
    assert adds[:20] @ few == pytest.approx(adds[:20] @ inside)
    assert solved(np.zeros((3, 60)), np.zeros(3), np.ones(3), 0.3, FOREVER) == pytest.approx(np.full(60, 0.3))


def test_that_flags_lie_between_zero_and_one_says_more_than_the_equations():
    """Another solver's answer to the same problem; of 60 flags, 44 equations and the bounds say nearly all."""
    draw = np.random.default_rng(1)
    adds, inside = draw.normal(size=(44, 60)), draw.random(60) < 0.3
    opened, off, spread = adds @ inside, np.full(44, 2.0**-10), np.sqrt(0.3 * 0.7)
    both = np.vstack([adds / off[:, None], np.eye(60) / spread]), np.append(opened / off, np.full(60, 0.3 / spread))
    said = solved(adds, opened, off, 0.3, FOREVER)
    assert said == pytest.approx(lsq_linear(*both, bounds=(0, 1), tol=1e-14).x, abs=1e-3)
    assert np.array_equal(said > 0.5, inside)
    linear = solved(adds, opened, off, 0.3, Until(0.0, generator(0)))
    assert linear == pytest.approx(np.linalg.lstsq(*both)[0], abs=1e-6)
    assert not np.array_equal(linear > 0.5, inside)
