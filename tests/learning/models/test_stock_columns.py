"""A model as scikit-learn's own classes: the scores that Potluck gives, of frames that nobody saw, without Potluck."""

import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn

from potluck.core.errors import UsageError
from potluck.core.plan import Column, Data, Model, Target, Training
from potluck.core.tables.derived import Derive
from potluck.learning.models.model import model
from support.learning import raw
from support.learning.sums import category, make, number, replaced

ELSEWHERE = """
import sys
from importlib.util import find_spec
sys.path.insert(0, sys.argv[1])
assert find_spec("potluck") is None
import joblib
import numpy as np
pipelines, frames = joblib.load(sys.argv[2])
said = [(getattr(one, "predict_proba", None) or one.predict)(frame) for one, frame in zip(pipelines, frames)]
np.savez(sys.argv[3], *said)
assert not [name for name in sys.modules if name.startswith("potluck")]
"""


def drawn(case, seed=0):
    """(model, rows that it scores, rows that its plan drops)"""
    rng = np.random.default_rng((seed, raw.CASES.index(case)))
    spec = raw.plan(rng, *case)
    one, frame = raw.trained(rng, spec), raw.rows(rng, spec)
    frame = frame[~raw.refused(spec, frame)]
    gone = np.isnan(one.scores(frame).reshape(len(frame), -1)[:, 0])
    return one, frame[~gone], frame[gone]


SLOW = pytest.mark.slow


@pytest.mark.parametrize("seeds", [range(1), pytest.param(range(1, 20), marks=SLOW)], ids=["1", "20"])
@pytest.mark.parametrize("case", [pytest.param(one, marks=[SLOW] * (place > 0)) for place, one in enumerate(raw.CASES)])
def test_scikit_learns_own_classes_score_raw_frames_as_potluck_does(case, seeds):
    for seed in seeds:
        one, frame, gone = drawn(case, seed)
        pipeline, number = one.to_sklearn(), one.target.side == "number"
        wanted, said = ((x.predict if number else x.predict_proba)(frame) for x in (one, pipeline))
        assert len(frame) > 5
        assert np.ptp(wanted, axis=0).min() > 1e-5
        assert np.abs(said - wanted).max() <= 1e-9 * (300 if number else 1)
        assert number or pipeline.predict(frame).tolist() == one.predict(frame).tolist()
        with pytest.raises(ValueError, match=r"NaN|unknown categories"):
            pipeline.predict(gone[:1])


@pytest.mark.slow
def test_a_file_of_joblib_opens_where_potluck_is_not_and_scores_the_same(tmp_path):
    made = [drawn(case)[:2] for case in raw.CASES[1::4]]
    joblib.dump(([one.to_sklearn() for one, _ in made], [frame for _, frame in made]), tmp_path / "file")
    site = Path(sklearn.__file__).parents[1]
    program = [sys.executable, "-I", "-S", "-c", ELSEWHERE, site, tmp_path / "file", tmp_path / "said.npz"]
    subprocess.run(list(map(str, program)), check=True, timeout=120)
    said = np.load(tmp_path / "said.npz")
    for place, (one, frame) in enumerate(made):
        wanted = one.predict(frame) if one.target.side == "number" else one.predict_proba(frame)
        assert np.abs(said[f"arr_{place}"] - wanted).max() <= 1e-9 * 300


def test_what_stock_classes_cannot_hold_is_refused_by_name():
    one = raw.trees(np.random.default_rng(0))
    with pytest.raises(UsageError, match=r"takes no trees.*hint.*onnx"):
        one.to_sklearn()
    stay = Derive(kind="days", source="came", to="left", low=0, high=110)
    day = Column(kind="date", format="%Y-%m-%d")
    spec = make(
        data=Data(
            columns={"came": day, "left": day, "out": number(0, 1)}, derive={"stay": stay}, target=Target(column="out")
        ),
        model=Model(kind="linear"),
        training=Training(method="newton"),
    )
    with pytest.raises(UsageError, match="column 'stay' is the time between two columns"):
        model(spec, np.zeros(2)).to_sklearn()
    said = raw.plan(np.random.default_rng(0), "logistic", "binary")
    nan = replaced(said, data=replaced(said.data, columns=said.data.columns | {"x": category("nan", "b")}))
    folded = replaced(nan, data=replaced(nan.data, fold=True, columns=said.data.columns | {"x": category("NONE", "b")}))
    with pytest.raises(UsageError, match="value 'NONE'"):
        raw.trained(np.random.default_rng(0), folded).to_sklearn()
    with pytest.raises(UsageError, match="value 'nan'"):
        raw.trained(np.random.default_rng(0), nan).to_sklearn()
