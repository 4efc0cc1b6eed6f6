"""Curious owners in an intersection: what others' lists and results say of the order of a file.

A file's order may be that of a column: sorted by income, it says of each row that all have where its income lies.
"""

import pytest

from potluck.core.party import site
from potluck.mpc.psi import many as psi_many
from potluck.mpc.psi import messages as m
from potluck.mpc.psi.curve import split
from support.mpc.psi_rig import Seeing, gathering, keys_of, met, results

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


def test_the_engines_do_not_get_the_keys_in_the_order_of_the_file():
    about, shared = gathering(2, protocol="rr22"), []
    engines = {party: Seeing(shared) for party in about.owners}
    sets = [WORDS, [*WORDS[32:][::-1], "only bob"]]
    found = results(about, sets, engines=engines)
    for party, words in zip(about.owners, sets, strict=True):
        assert engines[party].keys != keys_of(words)
        assert set(split(engines[party].keys, 16)) == set(split(keys_of(words), 16))
        assert found[party].held.common == b"".join(sorted(split(keys_of(WORDS[32:]), 16)))
