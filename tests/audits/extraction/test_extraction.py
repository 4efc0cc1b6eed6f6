"""Secret rows and texts: a model without noise gives them away, one with noise no more than its epsilon allows."""

import math
import time
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import potluck
from potluck.audits.extraction import canaries, exposure
from potluck.audits.extraction.exposure import Exposed, chance, place, refuted
from potluck.audits.promises import audits
from potluck.audits.promises.promise import WRONG, Effort
from potluck.core.seeded import generator
from support.promises import bugs
from support.promises.plans import MECHANISMS, plan

LEVEL = WRONG / len(audits.AUDITS)
TRAINED = [
    name
    for name, keys in MECHANISMS.items()
    if keys.get("task") is None and keys.get("unit") != "site" and not keys.get("redo")
]


def found(epsilon=2.0, wide=2, runs=5, **keys):
    (one,) = canaries.findings(
        audits.scene(plan(epsilon=epsilon, wide=wide, **keys).spec, 0), Effort(LEVEL, trials=runs)
    )
    return one


@pytest.mark.parametrize("many", [1, 2, 1_024])
def test_a_guess_exposes_what_the_harmonic_mean_of_places_says(many):
    assert chance(many) == pytest.approx(math.log2(many) - math.lgamma(many + 1) / math.log(2) / many)


def test_equal_losses_have_each_place_as_often():
    rng = generator(1)
    places = [place(0.5, np.array([0.1, 0.5, 0.5, 0.9]), rng) for _ in range(3_000)]
    assert np.bincount(places, minlength=6)[[2, 3, 4]] == pytest.approx([1_000] * 3, abs=160)  # six deviations
    assert set(places) == {2, 3, 4}


def test_ranks_at_random_are_not_told_and_refute_nothing_and_first_ones_do():
    rng = np.random.default_rng(0)
    said = [Exposed(rng.integers(1, 1_025, (10, 4)).tolist(), 1_024) for _ in range(500)]
    assert sum(one.told for one in said) <= 6  # once in 1,000 is allowed
    assert {one.epsilon(1e-5, 1e-3) for one in said[:50]} == {0.0}
    sure = Exposed([[1, 1, 1, 1]] * 10, 1_024)
    assert sure.told
    assert sure.bits == 10.0
    assert sure.epsilon(1e-5, 1e-5) == pytest.approx(math.log(1_024) - math.log(1e5 * 5) / 10, abs=0.02)


def test_secrets_that_come_first_as_often_as_an_epsilon_allows_refute_it_no_more_often_than_said():
    known, part, level = 2.0, 1 / 64, 0.05
    shares = np.random.default_rng(0).binomial(10, math.exp(known) * part, size=3_000) / 10
    bound = cache(lambda share: refuted(share, 10, part, 0.0, level))
    often = np.mean([bound(share) > known for share in shares])
    assert 0 < often <= level
    assert max(bound(share) for share in shares) > known


def test_noise_of_an_epsilon_gives_no_secret_away_and_no_noise_gives_all():
    one = found()
    assert one.held is not False
    assert one.lower_bound < 1 < one.claimed == 2.0
    assert "and without noise 11" in one.words  # of 11.8 bits


@pytest.mark.parametrize("keys", [{}, {"noise": "shared", "word": "mask"}], ids=["site", "shared"])
def test_a_thirtieth_of_the_noise_is_broken_by_the_model_alone(monkeypatch, keys):
    bugs.a_share_of_noise(monkeypatch, 1 / 30)
    one = found(runs=10, **keys)
    assert one.held is False
    assert one.lower_bound > 2.5


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        (MECHANISMS["site unit"], "a whole site is hidden"),
        (MECHANISMS["statistics"], "no model is trained"),
        ({"wide": 0, "many": 2}, "that makes 4, too few"),
    ],
)
def test_where_no_secret_can_be_extracted_it_says_so(keys, why):
    one = found(**{"wide": 0 if keys.get("task") else 2} | keys)
    assert one.held is None
    assert why in one.words


def _shifted(cells):
    held = [((np.frombuffer(one, np.uint32) + 7) % 100).astype(np.uint32).tobytes() for one in cells.held]
    return replace(cells, held=np.array(held, object))


def test_a_control_whose_steps_are_too_long_is_taken_in_shorter_ones():
    numbers = {f"n{one}": {"kind": "number", "low": -1, "high": 1} for one in range(6)}
    spec = potluck.Plan(
        name="n", purpose="a test", task="train", federation={"sites": ["a", "b", "c"], "server": "curious"},
        data={"columns": numbers | {"y": {"kind": "number", "low": 0, "high": 9}}, "target": {"column": "y"},
              "max_rows": 1_000, "split": {"test": 0.2}},
        model={"kind": "linear", "l2": 0.0}, protect={"with": "clear"},
        privacy={"noise": "site", "unit": "row", "epsilon": 2.0, "delta": 1e-5, "clip": 1.0},
        training={"method": "gradient", "rounds": 60, "rate": 1.0, "expected_rows": 300},
    )  # fmt: skip
    (one,) = canaries.findings(audits.scene(spec.spec, 0), Effort(LEVEL, trials=2))
    assert "and without noise 4." in one.words  # of 5.9 bits


def test_an_audit_that_has_no_time_says_so():
    (one,) = canaries.findings(audits.scene(plan(wide=2).spec, 0), Effort(LEVEL, until=0.0))
    assert one.held is None
    assert one.words == "no run of the plan's rounds was over in the time"


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    pytest.importorskip("tokenizers")
    decoders = pytest.importorskip("support.files.decoders")
    home = tmp_path_factory.mktemp("texts")
    tokenizer = decoders.texts.written(home / "tokenizer.json")
    graphs = {name: decoders.graph(home / name, getattr(decoders, name)()) for name in ("Decoder", "Adapted")}
    return lambda which="Decoder", **more: decoders.plan(graphs[which], tokenizer, **more)


@pytest.mark.torch
@pytest.mark.slow
def test_a_language_model_gives_away_secret_texts_and_one_of_other_texts_does_not(texts, monkeypatch):
    def others(rows):
        """Each token is another."""
        return {site: replace(one, cells={"note": _shifted(one.cells["note"])}) for site, one in rows.items()}

    real = canaries.by_hand
    done = potluck.audit(texts(), minutes=1)
    assert done.held is None
    (one,) = [check for check in done.checks if check.name == "extraction"]
    assert one.found > 9.9  # of 10 bits
    assert one.expected == pytest.approx(1.44, abs=0.01)
    assert "of texts nothing is promised" in one.words
    monkeypatch.setattr(canaries, "by_hand", lambda plan, task, rows, *more: real(plan, task, others(rows), *more))
    (blind,) = canaries.without_noise(texts().spec, 0, Effort(WRONG))
    assert blind.found < 1.44 + 6 * 1.44 / math.sqrt(8)  # six deviations of eight guesses


@pytest.mark.torch
@pytest.mark.slow
def test_an_adapter_of_a_frozen_language_model_gives_away_secret_texts(texts):
    spec = texts("Adapted", training={"rounds": 100, "rate": 0.1, "optimizer": "adam"}).spec
    (one,) = canaries.without_noise(spec, 0, Effort(WRONG, time.monotonic() + 300))
    assert one.found > 3.5  # a guess: 1.4, and its standard deviation of eight 0.5


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("epsilon", [1.0, 3.0, 8.0])
def test_no_correct_mechanism_gives_away_more_than_its_epsilon(name, epsilon):
    longer = {"rounds": 24, "rate": 2.0} if "band" in MECHANISMS[name] else {}  # a network learns slowly
    one = found(epsilon, wide=6, runs=10, **MECHANISMS[name] | longer)
    assert one.held is not False
    with_noise, without = (
        float(one.words.split(said)[1].split()[0].rstrip(";")) for said in ("away ", "without noise ")
    )
    assert without > 5
    if epsilon <= 3:
        assert with_noise < exposure.chance(1 << 16) + 1.4  # six deviations of 40 guesses
