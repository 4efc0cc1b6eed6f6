"""How wide the words of a sum are follows from the plan, `check` says so, and narrow ones halve what a site sends."""

import pytest

import potluck

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
