"""Results in a party's home: found as they were kept; a run's scores are never exchanged for others."""

import pytest

from potluck.core.errors import UsageError
from potluck.tasks.intersect.site import COMMON
from potluck.tasks.intersect.site import Known as Shared
from potluck.tasks.predict.site import SCORES, Known

FIRST, LATER = Known(0.1, (), 3), Known(9.0, (), 3)


def test_scores_of_a_run_are_not_exchanged_for_others(tmp_path):
    SCORES.keep(tmp_path, "run", FIRST, b"0.9\n")
    with pytest.raises(UsageError, match="another result of this run"):
        SCORES.keep(tmp_path, "run", LATER, b"0.1\n")
    path, known = SCORES.read(tmp_path, "run")
    assert (path.read_bytes(), known) == (b"0.9\n", FIRST)
    SCORES.keep(tmp_path, "run", FIRST, b"0.9\n")  # the control: the same once more is no other
    SCORES.keep(tmp_path, "next", LATER, b"0.1\n")


def test_a_result_that_may_be_found_again_is_replaced(tmp_path):
    COMMON.keep(tmp_path, "run", Shared(3, False), b"a\n")
    COMMON.keep(tmp_path, "run", Shared(2, False), b"b\n")
    assert COMMON.read(tmp_path, "run")[0].read_bytes() == b"b\n"


def test_what_was_not_kept_is_said(tmp_path):
    assert SCORES.find(tmp_path, "run") is None
    with pytest.raises(UsageError, match="kept no scores"):
        SCORES.read(tmp_path, "run")
