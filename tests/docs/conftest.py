"""A plan with its files, for pages that are compared with what a run prints; and a wheel, with the pages inside."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from support.docs import wheel
from support.docs.keys import SITES


@pytest.fixture
def plan(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for site in SITES:
        x = rng.uniform(0, 1, 60)
        y = np.where(rng.uniform(0, 1, 60) < x, "1", "0")
        pd.DataFrame({"x": x, "y": y}).to_csv(tmp_path / f"{site}.csv", index=False)
    text = f"""
version = 1
name = "keys"
purpose = "every key"
task = "train"
federation = {{ sites = {list(SITES)}, dropouts = 1 }}
data.files = {{ {", ".join(f'{site} = "{site}.csv"' for site in SITES)} }}
data.columns.x = {{ kind = "number", low = 0, high = 1 }}
data.columns.y = {{ kind = "category", values = ["0", "1"] }}
data.target = {{ column = "y", positive = ["1"] }}
data.split.test = 0.3
model.kind = "logistic"
training = {{ method = "gradient", rounds = 2, expected_rows = 160 }}
protect.with = "mask"
privacy = {{ noise = "shared", unit = "row", epsilon = 1.0, delta = 1e-5, clip = 1.0 }}
"""
    (tmp_path / "plan.toml").write_text(text, encoding="utf-8")
    return tmp_path / "plan.toml"


@pytest.fixture(scope="session")
def packed(tmp_path_factory) -> Path:
    """A folder with a wheel of this program (`wheel/`), built apart from the checkout and unpacked (`unpacked/`)."""
    return wheel.shared(tmp_path_factory)


@pytest.fixture(scope="session")
def site(packed) -> Path:
    """The pages as a site, as the wheel has them."""
    return packed / "unpacked" / "potluck" / "site"
