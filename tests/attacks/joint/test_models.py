"""The attack by repetition on a fit without noise: the reader brings another column of its own to each round of one
approved run, and has of each round an exact model, from which the value of one more row of another owner's follows."""

import contextlib

import numpy as np
import pytest
from scipy.special import logit

from potluck.core.ledger import Volatile
from potluck.core.party import SERVER, site
from potluck.core.rounds import Cause, Record
from potluck.drivers.once import root_cause
from potluck.mpc.fit import site as owner
from potluck.owner.budget import Budget
from support.parties.fit_scene import RANKS, frames, plan, sat

READER, OTHER = site("o0"), site("o1")
BETA = RANKS[1]


def made():
    """Two columns at the reader, one at the other owner."""
    found = plan()
    mine = {name: {"kind": "number", "low": -1, "high": 1, "owner": who} for name, who in OWNERS.items()}
    return found.set("data.columns", mine | {"y": {"kind": "category", "values": ["0", "1"], "owner": "o0"}})


OWNERS = {"x0": "o0", "x1": "o0", "x2": "o1"}


class Room:
    """One run, whose honest owner is started again before each round: its ledger and its secrets are on the disk."""

    def __init__(self, folder):
        self.folder, self.number, self.given = folder, 0, frames(rows=120)
        mine = self.given["o0"]
        self.common = mine[~mine.id.str.startswith("only") & (mine.fold == "train")]
        self.targets = self.common.id.iloc[:4].tolist()

    def asked(self, key):
        """A round of the server's and the reader's making: the reader's columns are 1 at one row, and 0 elsewhere."""
        self.number += 1
        forged = self.given["o0"].assign(x0=(self.given["o0"].id == key).astype(float), x1=0.0)
        with contextlib.closing(Budget(self.folder / "o1.sqlite")) as ledger:
            kept = {"ledgers": {OTHER: ledger}, "secrets": self.folder / "secrets"}
            return sat(made(), {**self.given, "o0": forged}, number=self.number, **kept)

    def value(self, key, model):
        """What the exact model says of the other owner's value in that row: where the penalised fit has settled, the
        row's log-odds follow from the coefficient of its own column."""
        start, own, _, slope = model.weights
        y = int(self.common.y[self.common.id == key].iloc[0])
        return (logit(y - made().spec.model.l2 * own) - start - own) / slope

    def learnt(self):
        """By row, the value that the reader works out, of the rounds that were not refused."""
        found = {}
        for key in self.targets:
            trained = self.asked(key)[0][READER].result
            if trained is not None:
                found[key] = self.value(key, trained.model)
        return found

    def true(self):
        """By row, the other owner's value."""
        return self.given["o1"].set_index("id").x2[self.targets].to_dict()


def test_a_reader_cannot_have_a_second_exact_model_under_one_approval(tmp_path):
    room = Room(tmp_path)
    assert list(room.learnt()) == room.targets[:1]  # the one that was approved


def test_without_the_record_the_reader_learns_one_more_row_with_each_round(tmp_path, monkeypatch):
    def each(fitting, charge):
        return Record(f"{owner.TRIED}{fitting.round.run}/{fitting.round.number}", b"")

    monkeypatch.setattr(owner, "given_once", each)
    room = Room(tmp_path)
    learnt, true = room.learnt(), room.true()
    assert list(learnt) == room.targets
    assert np.abs([learnt[key] - true[key] for key in true]).max() < 1e-3


def test_the_other_owner_refuses_before_a_share_of_its_columns_leaves(tmp_path):
    room = Room(tmp_path)
    room.asked(room.targets[0])
    desks, post = room.asked(room.targets[1])
    assert desks[OTHER].abort.cause is Cause.REPLAY
    assert not [move for move in post.transcript.moves if move.sender == OTHER and move.label.step == "fit/input"]
    aborts = {party: desk.abort for party, desk in desks.items() if desk.abort}
    why = root_cause(aborts.pop(SERVER), aborts)
    assert (why.cause, why.party) == (Cause.REPLAY, OTHER)
    assert "once in a run" in why.detail


BEFORE = [(BETA, "fit/keys"), (READER, "psi/hello"), (OTHER, "psi/hello")]
AFTER = [(BETA, step) for step in ("fit/held", "fit/run", "fit/faults", "fit/result")] + [(READER, "fit/done")]


def redone(folder, gone, step):
    """Two rounds of honest parties, the first cut off."""
    kept = {"ledgers": {READER: Volatile(), OTHER: Volatile()}, "secrets": folder}
    sat(plan(), frames(rows=60), vanish=lambda party, _round, at: party == gone and at == step, **kept)
    return sat(plan(), frames(rows=60), number=2, **kept)[0]


@pytest.mark.parametrize(("gone", "step"), BEFORE)
def test_a_round_that_broke_before_columns_left_is_done_again(tmp_path, gone, step):
    assert redone(tmp_path, gone, step)[READER].result is not None


@pytest.mark.parametrize(("gone", "step"), AFTER)
def test_a_round_that_broke_after_columns_left_is_not(tmp_path, gone, step):
    desks = redone(tmp_path, gone, step)
    assert {desks[party].abort.cause for party in (READER, OTHER)} == {Cause.REPLAY}
