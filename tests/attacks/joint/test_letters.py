"""Every letter of a fit, as its reader reads it: none holds another owner's key, a hash of it, or a number."""

import json

import numpy as np
import pytest

from potluck.drivers.transcript import Transcript
from potluck.mpc.psi.keys import digest_of
from support.parties.fit_scene import STEP, frames, plan, sat


def traces(frame):
    """What of an owner's file would betray a row: keys, their hashes, numbers as words and as floats."""
    numbers = frame[[name for name in frame if name.startswith("x")]].to_numpy().ravel()
    numbers = numbers[np.abs(numbers) > 0.01]
    words = {np.int64(np.rint(one * STEP)).tobytes() for one in numbers}
    texts = {one.encode() for one in frame.id}
    return words | texts | {digest_of((one,)) for one in frame.id} | {np.float64(one).tobytes() for one in numbers}


@pytest.mark.parametrize("owners", [2, 3])
@pytest.mark.parametrize("split", [{"column": "fold"}, {"test": 0.3, "seed": 5}])
def test_no_letter_that_others_read_holds_a_row(tmp_path, owners, split):
    given = frames(rows=60, owners=owners)
    for frame in given.values():
        frame["id"] = "person number " + frame.id
    desks, _ = sat(plan(owners, data__split=split), given, transcript=Transcript(tmp_path))
    assert not any(desk.abort for desk in desks.values())
    read = [json.loads(line) for line in (tmp_path / "index.jsonl").read_text().splitlines()]
    assert {one["step"] for one in read} >= {"psi/found", "fit/input", "fit/held", "fit/faults", "fit/result"}
    for name, frame in given.items():
        bodies = [(tmp_path / one["file"]).read_bytes() for one in read if one["to"] != name]
        assert bodies
        whole = b"\n".join(bodies)
        assert not [one for one in traces(frame) if one in whole]
