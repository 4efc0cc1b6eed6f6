"""Curious owners in an intersection: what others' lists and results say of the order of a file.

A file's order may be that of a column: sorted by income, it says of each row that all have where its income lies.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "mpc"))

from psi_rig import gathering, keys_of, met, results

from potluck.core.party import site
from potluck.mpc.credentials import issue
from potluck.mpc.psi import many as psi_many
from potluck.mpc.psi import messages as m
from potluck.mpc.psi.curve import split

WORDS = [f"k{number}" for number in range(64)]


@pytest.fixture
def heard(monkeypatch):
    """(reader, step, writer, opened body) of every note, in order."""
    found = []
    real = m.Circle.unsealed

    def unsealed(self, step, note):
        writer, body = real(self, step, note)
        found.append((self.me.party.name, step, writer.name, body))
        return writer, body

    monkeypatch.setattr(m.Circle, "unsealed", unsealed)
    return found


def test_of_three_the_result_does_not_come_in_the_order_of_the_file_of_who_computes_it(heard, monkeypatch):
    tags = []
    real = psi_many._numbers
    monkeypatch.setattr(psi_many, "_numbers", lambda seeds, own: tags.append(list(own)) or real(seeds, own))
    met(gathering(3), [WORDS, WORDS[::-1], WORDS[::-1]])
    ann, *_ = tags  # in her file's order
    told = [m.read_found(body, site("ann"), 16, len(WORDS)) for _, step, _, body in heard if step == m.FOUND]
    assert len(told) == 2
    for one in told:
        listed = split(one.members, 16)
        assert sorted(listed) == sorted(ann)
        assert listed != ann
        assert listed == sorted(listed)


@dataclass
class Late:
    """A result that is there when it is asked for."""

    value: object

    def result(self):
        return self.value() if callable(self.value) else self.value


class Seeing:
    """Stands in for an owner's engine and keeps the keys as they came. shared: between both, by rank."""

    def __init__(self, shared):
        self.shared, self.keys = shared, b""

    def offer(self, party, round_):
        return issue(party, f"{round_.run}/{round_.number}", 1.8e9), "127.0.0.1:1"

    def link(self, round_, rank, own, certificates, at):
        return Late(None)

    def intersect(self, keys, receiver):
        self.keys = keys
        self.shared.append(self)
        return Late(self._found)

    def _found(self):
        common = set.intersection(*(set(split(one.keys, 16)) for one in self.shared))
        where = {key: number for number, key in enumerate(split(self.keys, 16))}
        return np.array([where[key] for key in sorted(common)], np.uint32)

    def warm(self):
        pass

    def close(self):
        pass


def test_the_engines_do_not_get_the_keys_in_the_order_of_the_file():
    about, shared = gathering(2, protocol="rr22"), []
    engines = {party: Seeing(shared) for party in about.owners}
    sets = [WORDS, [*WORDS[32:][::-1], "only bob"]]
    found = results(about, sets, engines=engines)
    for party, words in zip(about.owners, sets, strict=True):
        assert engines[party].keys != keys_of(words)
        assert set(split(engines[party].keys, 16)) == set(split(keys_of(words), 16))
        assert found[party].held.common == b"".join(sorted(split(keys_of(WORDS[32:]), 16)))
