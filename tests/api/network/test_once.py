"""What a coordinator says of a round that is no sum and cannot be done again: what broke it, not who refused."""

from contextlib import closing

import pytest

from potluck.api.network.once import run_round
from potluck.api.plan.plan import Plan
from potluck.core.party import Party, Role, site
from potluck.core.rounds import Abort, Cause
from potluck.drivers.attempt import Attempt
from potluck.drivers.transcript import Traffic
from potluck.parties.runners.journal import Journal
from potluck.tasks.fit.task import FIT

SPEC = Plan(
    name="n", purpose="p", task="fit", federation={"sites": ["o0", "o1"], "server": "curious"},
    data={"columns": {"x": {"kind": "number", "low": 0, "high": 1, "owner": "o1"},
                      "y": {"kind": "category", "values": ["0", "1"], "owner": "o0"}},
          "target": {"column": "y", "positive": ["1"]}},
    align={"keys": ["id"]}, model={"kind": "logistic"}, training={"method": "newton"}, protect={"with": "share"},
    privacy={"noise": "none"},
).spec  # fmt: skip
BETA, OWNER = Party(Role.COMPUTE, "beta"), site("o1")
GONE = Attempt(None, Abort(Cause.SILENT, party=BETA, step="fit/done", detail="it died"), Traffic())
AGAIN = Attempt(None, Abort(Cause.TOO_FEW, party=OWNER, step="fit/done"), Traffic(), {OWNER: Cause.REPLAY})
DONE = Attempt(None, None, Traffic())


class Killed(BaseException):
    """The server's process."""


class Scripted:
    """A coordinator whose rounds end as they are told to."""

    def __init__(self, *ends):
        self.ends, self.rounds = list(ends), 0

    def once(self, number, half, kind):
        self.rounds += 1
        end = self.ends.pop(0)
        if end is Killed:
            raise Killed
        return end


def ended(folder, coordinator):
    with closing(Journal(folder / "journal.sqlite", SPEC)) as journal:
        return run_round(SPEC, FIT.first(SPEC), coordinator, journal, FIT.serve(SPEC))


def test_a_round_that_broke_before_anything_left_is_tried_again(tmp_path):
    assert [one.number for one in ended(tmp_path, Scripted(GONE, GONE, DONE)).rounds] == [3]


def test_an_owner_that_gave_already_does_not_hide_who_broke_the_round(tmp_path):
    server = Scripted(GONE, AGAIN, DONE)
    with pytest.raises(Abort) as caught:
        ended(tmp_path, server)
    assert (caught.value.cause, caught.value.party, caught.value.step) == (Cause.SILENT, BETA, "fit/done")
    assert "it died" in caught.value.detail
    assert "once in a run" in caught.value.detail
    assert "--fresh" in caught.value.detail
    assert server.rounds == 2


@pytest.mark.parametrize(("first", "words"), [(GONE, "beta"), (Killed, "the server ended in the middle of it")])
def test_a_server_that_was_started_again_still_says_what_broke_the_round(tmp_path, first, words):
    with pytest.raises((Abort, Killed)):
        ended(tmp_path, Scripted(first, Killed if first is Killed else AGAIN))
    for _ in range(2):
        with pytest.raises(Abort) as caught:
            ended(tmp_path, Scripted(AGAIN))
        assert (caught.value.cause, caught.value.party) == (Cause.REPLAY, OWNER)
        assert "round 1 came to nothing: " in caught.value.detail
        assert words in caught.value.detail
