"""A run whose server and site were killed goes on over the rows that it began with, and over no others."""

import signal

import pytest

from support.processes.hospitals import NAMES, federation, plan, reference
from support.processes.kills import VICTIM, named
from support.processes.rig import BROKER, SERVER, Trap, need_broker, wait_for


@pytest.mark.slow
def test_a_run_cannot_be_resumed_over_changed_rows_and_can_once_they_are_put_back(tmp_path):
    need_broker()
    rig = federation(tmp_path / "f")
    rows = rig.home(VICTIM) / "rows.csv"
    kept = rows.read_bytes()
    try:
        rig.start(BROKER, *NAMES)
        rig.trap(SERVER, Trap("on receipt", "mask/sign", 2))
        path, out = rig.plan(plan(), "changed"), ("--out", rig.folder / "runs" / "changed")
        rig.serve(path, *out)
        wait_for(lambda: rig.sprung(SERVER), 60, "the server dies")
        rig.children[SERVER].process.wait(10)
        rig.disarm()
        rig.children[VICTIM].stop(signal.SIGKILL)
        rows.write_bytes(kept + b"1.5,-0.5,1\n")
        rig.start(VICTIM)
        ended = rig.serve(path, *out).end(120)
        assert ended.code == 3
        assert f"{VICTIM} cannot carry it out (rows_changed)" in named(ended)
        assert not (rig.folder / "runs" / "changed").exists()
        assert "began with, and it takes no others. Put them back" in rig.children[VICTIM].words.read_text()
        rows.write_bytes(kept)
        document = rig.serve(path, *out).end(120).document
        assert document["model"]["digest"] == reference(plan()).digest()  # of the rows of one day
        assert next(one["number"] for one in rig.rounds(rig.runs()[0]) if one["opened"]) == 1  # it stands
    finally:
        rig.close()
    rig.leaves_nothing()
