"""A compute party that sends what it should not: a fit ends, gives no model, and blames nobody who is honest."""

from dataclasses import replace

import pytest

from potluck.api.network.once import _said
from potluck.core.party import site
from potluck.core.rounds import Abort, Cause, Parcel
from potluck.core.wire import dump, load
from potluck.mpc.coordination import Share
from potluck.mpc.fit import compute as fit_compute
from potluck.mpc.fit import messages as m
from potluck.secret.random import system
from support.parties.fit_scene import RANKS, frames, plan, result

ALPHA, BETA, _ = RANKS


def turned(half, step, body):
    """A half whose letters of one step say something else."""
    inbox = None
    while True:
        try:
            said = half.send(inbox)
        except StopIteration as stop:
            return stop.value
        send = {to: Parcel(one.label, body) if one.label.step == step else one for to, one in said.send.items()}
        inbox = yield replace(said, send=send)


def ended(**more):
    with pytest.raises(Abort) as caught:
        result(plan(), frames(rows=60), **more)
    return caught.value


@pytest.mark.parametrize("share", [b"", bytes(8), bytes(320)])
def test_faults_of_another_length_name_who_sends_them(share):
    def change(party, half):
        return turned(half, m.FAULTS, dump(Share(share))) if party == BETA else half

    assert (ended(change=change).cause, ended(change=change).party) == (Cause.MALFORMED, BETA)


def test_faults_that_do_not_fit_the_others_name_no_owner():
    def change(party, half):
        return turned(half, m.FAULTS, dump(Share(system(48)))) if party == BETA else half

    abort = ended(change=change)
    assert abort.cause is Cause.COMMITMENT
    assert abort.party is None
    assert "beta" in abort.detail


def resealed(monkeypatch, change):
    """beta seals other shares of the results than it has."""
    right = fit_compute._sealed

    def sealed(place, fitting, cast, owner, body):
        if place.me == BETA:
            body = dump(m.Shares(tuple(change(load(body, m.Shares).each))))
        return right(place, fitting, cast, owner, body)

    monkeypatch.setattr(fit_compute, "_sealed", sealed)


SHORTER = {"fewer": lambda each: each[:1], "shorter": lambda each: [one[:-8] for one in each]}


@pytest.mark.parametrize("how", SHORTER)
def test_results_of_another_length_name_who_sends_them(monkeypatch, how):
    resealed(monkeypatch, SHORTER[how])
    abort = ended()
    assert (abort.cause, abort.party) == (Cause.MALFORMED, BETA)


OTHERS = {
    "noise": lambda each: [system(len(one)) for one in each],
    "a bit": lambda each: [bytes([each[0][0] ^ 1]) + each[0][1:], *each[1:]],
}


@pytest.mark.parametrize("how", OTHERS)
def test_results_that_do_not_fit_the_others_give_no_model_and_do_not_name_the_reader(monkeypatch, how):
    resealed(monkeypatch, OTHERS[how])
    abort = ended()
    assert abort.cause is Cause.COMMITMENT
    assert abort.party != site("o0")
    assert "alpha and beta hold different parts" in abort.detail


def test_across_machines_who_finds_that_parts_differ_is_not_named_for_it():
    reader = site("o0")
    assert _said(reader, Cause.COMMITMENT).party is None
    assert "o0" in str(_said(reader, Cause.COMMITMENT))
    assert _said(reader, Cause.REFUSED).party == reader
