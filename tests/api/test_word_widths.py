"""How wide the words of a sum are follows from the plan, `check` says so, and narrow ones halve what a site sends."""

import json

import pytest

import potluck
from support.parties import scene
from support.parties.scene import frames

BINS = 4000
SAID = {"name": "counts", "kind": "histogram", "column": "age", "bins": BINS}
MEAN = {"name": "mean", "kind": "mean", "column": "age"}


def sent(word, *statistics):
    """(width, bytes that a site sends in the round, words)."""
    plan = potluck.Plan(
        name="widths", purpose="a test", task="statistics", federation={"sites": ["a", "b", "c"], "server": "curious"},
        data={"columns": {"age": {"kind": "number", "low": 0, "high": 110}}, "max_rows": 1000},
        statistics=list(statistics), protect={"with": word}, privacy={"noise": "none"},
    )  # fmt: skip
    verdict = potluck.check(plan)
    assert verdict.errors == []
    found = verdict.document()
    return found["grid"]["bits"], found["bytes_up_per_site_round"], verdict.summary()


@pytest.mark.parametrize("word", ["clear", "mask"])
def test_counts_alone_are_half_as_long_as_beside_a_mean(word):
    narrow, few, said = sent(word, SAID)
    wide, many, wider = sent(word, SAID, MEAN)
    assert (narrow, wide) == (32, 64)
    assert f"{few:,} bytes up a site and round in words of 32 bits" in said
    assert f"{many:,} bytes up a site and round in words of 64 bits" in wider
    # Beside the words, letters have keys and signatures, of which a mean changes nothing.
    assert 0 <= (many - few) - (8 * (BINS + 2) - 4 * BINS) <= 64


@pytest.mark.parametrize("looks", [{}, {"evaluate_every": 2}, {"vote": {}}])
def test_check_says_what_a_site_sends_in_all_rounds(tmp_path, looks):
    """Beside what a run of the same plan sent, letter by letter, but for its last sum, of metrics."""
    sites = list("abcd")
    for name, frame in frames("abcd").items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    plan = scene.plan()
    split = {"test": 0.3} | ({"validation": 0.3} if "evaluate_every" in looks else {})
    plan = plan.set("data.files", {name: str(tmp_path / f"{name}.csv") for name in sites}).set("data.split", split)
    plan = plan.set("training", {"method": "gradient", "rounds": 5, "expected_rows": 100, **looks})
    verdict = potluck.check(plan)
    said = verdict.document()["bytes_up_per_site"]
    assert said > 5 * verdict.bytes_up - 1
    potluck.run(plan, out=tmp_path / "run", ledger=tmp_path / "ledger")
    moves = [json.loads(line) for line in (tmp_path / "run" / "transcript.jsonl").read_text().splitlines()]
    last = max(move["round"] for move in moves)
    up = [move for move in moves if move["from"] in sites and move["to"] == "server" and move["round"] < last]
    sent = sum(move["bytes"] for move in up)
    assert said == pytest.approx(sent / len(sites), rel=0.01)
    assert f", {said:,} a site in all, {4 * said:,} of all 4" in verdict.summary()
