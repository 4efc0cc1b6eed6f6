"""Arrays on their way to and from Arrow are those that Arrow itself makes."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.learning.data.sql.arrays import as_column, texts, whole_numbers
from support.places import ROOT

KINDS = {
    pa.float64(): st.floats(),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.string(): st.text(st.characters(exclude_categories=("Cs",))),
    pa.bool_(): st.booleans(),
    pa.float32(): st.floats(width=32),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
}


@given(st.data(), st.sampled_from(list(KINDS)), st.integers(0, 3), st.integers(0, 3))
def test_a_column_is_what_arrow_makes_of_it(data, kind, start, end):
    values = data.draw(st.lists(st.none() | KINDS[kind], max_size=20))
    array = pa.array(values, kind)[start : len(values) - end]
    found, theirs = as_column(array), array.to_numpy(zero_copy_only=False)
    assert found.dtype == theirs.dtype
    if found.dtype == object:
        assert found.tolist() == theirs.tolist()
    else:
        assert np.array_equal(found, theirs, equal_nan=found.dtype.kind == "f")


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)))))
def test_texts_are_what_arrow_makes_of_them(cells):
    found = texts(cells)
    found.validate(full=True)
    assert found.equals(pa.array(cells, pa.string()))


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_whole_numbers_are_what_arrow_makes_of_them(values):
    assert whole_numbers(values).equals(pa.array(values, pa.int64()))


def test_half_a_pair_of_surrogates_is_no_text():
    with pytest.raises(UnicodeEncodeError):
        texts(["a", "\ud800"])


@pytest.mark.slow
def test_reading_a_file_of_numbers_loads_no_pandas():
    plan = ROOT / "src" / "potluck" / "demo" / "heart.toml"
    bare = f"potluck.Plan.read({str(plan)!r}).set('privacy', {{'noise': 'none'}})"  # noise would be rehearsed
    code = f"import sys, potluck; potluck.check({bare}); print(*{{'pandas', 'pyarrow'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["pyarrow"]
