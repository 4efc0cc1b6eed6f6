"""Made-up rows are found where nothing protects, and not with noise; no row of a run is among them."""

import json

import numpy as np
import pytest

from potluck.api.proof.attack import made_up
from potluck.audits.control import bare, lines_of, scene_of
from potluck.audits.pictures import picture
from potluck.audits.shown import hits, shown
from potluck.core.seeded import generator
from potluck.report.page import render
from potluck.report.proof.kept import ATTACKS, Attacks, read
from support.audits.recorded import LOGISTIC, frames, plan


def found(spec, seconds=30.0):
    it = shown(spec.spec, seconds, 0)
    return it, {one.title: sum(one.found) for one in it.views}


@pytest.mark.slow
def test_rows_are_found_in_the_clear_some_under_masks_and_none_with_noise():
    it, hits = found(plan("mask"))
    assert hits == {"in the clear": 3, "under masks": 2} | {f"with noise, epsilon {one}": 0 for one in (8, 3, 1)}
    document = it.document()
    assert document["columns"] == ["u", "v", "w", "x", "z", "c"]
    assert document["views"][0]["cells"] == document["cells"]
    rows = lines_of(bare(plan("mask").spec), 1, generator(0, "shown")).values()
    for (line,), cells in zip(rows, document["cells"], strict=True):  # in the plan's own units
        assert [f"{float(line[name]):.4g}" for name in "uvwxz"] == cells[:5]
        assert line["c"] == cells[5]


def test_a_mean_of_rows_is_no_row_and_where_noise_cannot_be_it_says_why():
    hits = found(plan("mask", LOGISTIC))[1]
    assert hits == {"in the clear": 3, "under masks": 0} | {f"with noise, epsilon {one}": 0 for one in (8, 3, 1)}
    it, hits = found(plan("mask", LOGISTIC, method="newton", rate=1.0))
    assert hits["under masks"] == 1
    assert it.views[2].why.startswith("training.method: newton with noise")


@pytest.mark.slow
def test_what_is_kept_for_the_report_holds_no_row_of_the_run(masked):
    folder = masked[0]
    assert made_up(folder, minutes=0.5) == folder / ATTACKS
    kept = read(folder / ATTACKS, Attacks, masked[1].hash).made_up
    assert sum(kept.views[0].found) == 3
    text = json.dumps([kept.cells, [one.cells for one in kept.views]]) + render(folder)
    cells = [cell for frame in frames(1).values() for cell in frame.iloc[0] if isinstance(cell, float)]
    assert [cell for cell in cells if f"{cell:.4g}" in text] == []


def test_a_guess_at_rows_that_are_alike_is_at_one_of_them():
    """By 30 dB alone one guess would be two rows: here both lie within 34 dB of it."""
    first, far = np.full(64, 0.5), np.full(64, -0.5)
    second = first + 0.04
    assert hits(np.stack([first, second, far]), first[None] + 0.01) == [True, False, False]
    assert hits(np.stack([first, second]), np.stack([first + 0.01, second - 0.01])) == [True, True]
    assert hits(np.stack([first, far]), first[None] + 0.07) == [False, False]  # at 29 dB it is none


def test_a_made_up_picture_is_a_digit_in_its_range():
    values = picture((3, 14, 14), -5, 5, generator(1))
    assert values.shape == (3, 14, 14)
    assert -5 < values.min() < -4
    assert 1 < values.max() <= 5
    assert len(np.unique(values)) == 2
    assert np.array_equal(values[0], values[2])
    assert picture((7,), 0, 1, generator(1)).shape == (7,)


@pytest.mark.torch
def test_a_plan_of_pictures_has_a_control(tmp_path):
    import torch
    from torch import nn

    import potluck

    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(2 * 8 * 8, 2))
    potluck.graph(net, inputs={"image": [1, 8, 8]}, path=tmp_path / "net.graph")
    columns = {
        "image": {"kind": "image", "shape": [1, 8, 8], "low": 0, "high": 255},
        "y": {"kind": "category", "values": ["0", "1"]},
    }
    spec = potluck.Plan(
        name="pictures", purpose="a test", task="train", federation={"sites": ["a", "b", "c"], "server": "curious"},
        data={"columns": columns, "max_rows": 10, "target": {"column": "y", "classes": ["0", "1"]}},
        model={"kind": "network", "graph": str(tmp_path / "net.graph"), "l2": 0.0}, protect={"with": "mask"},
        privacy={"noise": "none"}, training={"method": "gradient", "rounds": 1, "rate": 0.1},
    ).spec  # fmt: skip
    lines = lines_of(bare(spec), 1, generator(0))
    _, truth = scene_of(bare(spec), lines)
    for site, table in truth.items():
        (line,) = next(some for party, some in lines.items() if party.name == site)
        seed = int(line["image"].removesuffix(".npy"), 16)
        drawn = picture((1, 8, 8), 0, 255, generator(seed, "picture")) / 127.5 - 1
        assert np.abs(table.inputs.cells["image"].take(np.array([0]))[0] - drawn).max() < 1e-6
