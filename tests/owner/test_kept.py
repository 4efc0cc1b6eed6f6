"""What a site keeps on its disk between rounds: there after a crash, of two steps, and nothing else is taken for it."""

import os
import stat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core.rounds import Abort, Cause
from potluck.learning.kept import InMemory
from potluck.owner.kept import KeptFiles

RUN, PLAN, MODEL = "ab" * 16, b"p" * 32, b"m" * 32


def of(folder, run=RUN, plan=PLAN):
    return KeptFiles(folder / "rounds").of(run, plan)


def files(folder):
    return sorted((folder / "rounds" / RUN).iterdir())


@given(steps=st.lists(st.lists(st.floats(width=64), min_size=2, max_size=2), min_size=1, max_size=5))
def test_files_say_what_memory_says(tmp_path_factory, steps):
    """Each step by a process of its own: what is read is what was kept, bit for bit, NaN and all."""
    folder, memory = tmp_path_factory.mktemp("kept"), InMemory()
    for step, values in enumerate(steps):
        for _ in range(2):  # the second time as after a round that came to nothing
            for one in (of(folder), memory):
                one.keep(step, MODEL, np.array(values))
        before, known = of(folder).before(step), memory.before(step)
        assert (before is None) == (known is None) == (step == 0)
        assert step == 0 or before.tobytes() == known.tobytes() == np.array(steps[step - 1]).tobytes()
        assert of(folder).last().tobytes() == memory.last().tobytes()
    assert len(files(folder)) == min(2, len(steps))


def test_only_the_owner_may_read_it_and_it_goes_with_the_run(tmp_path):
    of(tmp_path).keep(0, MODEL, np.ones(3))
    of(tmp_path, "cd" * 16).keep(0, MODEL, np.ones(3))
    (one,) = files(tmp_path)
    assert stat.S_IMODE(one.stat().st_mode) == 0o600
    assert stat.S_IMODE(one.parent.stat().st_mode) == stat.S_IMODE(one.parent.parent.stat().st_mode) == 0o700
    for _ in range(2):
        KeptFiles(tmp_path / "rounds").forget(RUN)
        assert os.listdir(tmp_path / "rounds") == ["cd" * 16]


def test_what_a_killed_process_left_half_written_goes(tmp_path):
    of(tmp_path).keep(0, MODEL, np.ones(3))
    (tmp_path / "rounds" / RUN / ".1.kept.4711").write_bytes(b"half")
    of(tmp_path).keep(1, MODEL, np.ones(3))
    assert [one.name for one in files(tmp_path)] == ["0.kept", "1.kept"]


def harms():
    """By name: how the file of step 1 comes to be another."""
    yield "gone", lambda one: one.unlink()
    yield "empty", lambda one: one.write_bytes(b"")
    yield "cut off", lambda one: one.write_bytes(one.read_bytes()[:-8])
    yield "longer", lambda one: one.write_bytes(one.read_bytes() + bytes(8))
    yield "of the step before", lambda one: one.write_bytes((one.parent / "0.kept").read_bytes())
    yield "of another run", lambda one: one.write_bytes((one.parents[1] / ("cd" * 16) / "1.kept").read_bytes())
    yield "of another plan", lambda one: one.write_bytes((one.parents[1] / ("ef" * 16) / "1.kept").read_bytes())
    yield "a folder", lambda one: (one.unlink(), one.mkdir())


@pytest.mark.parametrize(("name", "harm"), [*harms()], ids=[name for name, _ in harms()])
def test_what_does_not_belong_is_refused(tmp_path, name, harm):
    for step in range(2):
        of(tmp_path).keep(step, MODEL, np.full(3, step + 1.0))
        of(tmp_path, "cd" * 16).keep(step, MODEL, np.full(3, 9.0))
        of(tmp_path, "ef" * 16, b"q" * 32).keep(step, MODEL, np.full(3, 9.0))
    if name == "of another plan":  # put there whole, under this run's name
        of(tmp_path, RUN, b"q" * 32).folder.joinpath("1.kept").unlink()
        of(tmp_path, RUN, b"q" * 32).keep(1, MODEL, np.full(3, 9.0))
    else:
        assert of(tmp_path).before(2).tolist() == [2.0] * 3  # control
        harm(files(tmp_path)[1])
    with pytest.raises(Abort) as caught:
        of(tmp_path).before(2)
    assert caught.value.cause is Cause.KEPT
    assert of(tmp_path).before(0) is None


@pytest.mark.parametrize("place", range(0, 160, 7))
def test_no_byte_of_it_can_be_changed(tmp_path, place):
    of(tmp_path).keep(0, MODEL, np.ones(4))
    (one,) = files(tmp_path)
    content = bytearray(one.read_bytes())
    content[place % len(content)] ^= 1
    one.write_bytes(content)
    with pytest.raises(Abort):
        of(tmp_path).before(1)


def test_a_step_is_kept_of_one_model_alone(tmp_path):
    of(tmp_path).keep(0, MODEL, np.ones(3))
    of(tmp_path).keep(0, MODEL, np.ones(3))
    with pytest.raises(Abort) as caught:
        of(tmp_path).keep(0, b"o" * 32, np.ones(3))
    assert caught.value.cause is Cause.KEPT
