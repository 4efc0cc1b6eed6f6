"""Hostile bytes, of every format: no crash, and nothing is believed that the good evidence did not say."""

import itertools

import pytest

from potluck.tee.attestation.evidence import FORMATS, LARGEST, MOST, Asked, Evidence
from potluck.tee.attestation.starter import loose
from potluck.tee.attestation.verify import MODULES, verifier, verify
from support.tee.cases import codes, part
from support.tee.fuzz import believed, good, lengths
from support.tee.pki import NOW

QUICK, WHOLE = 400, 100_000 // len(FORMATS)


def test_every_format_has_a_verifier():
    assert set(MODULES) == set(FORMATS)
    assert all(verifier(word).read for word in MODULES)


@pytest.mark.parametrize("form", FORMATS)
def test_fuzzed_evidence_and_endorsements_are_refused_or_say_the_same(form):
    given, wanted = good(form)
    assert believed(form, given, wanted, QUICK, seed=11) == []


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_a_hundred_thousand_fuzzed_blobs_over_all_formats(form):
    given, wanted = good(form)
    assert believed(form, given, wanted, WHOLE, seed=1000) == []


@pytest.mark.parametrize("form", FORMATS)
def test_lengths_that_lie_are_refused_or_change_nothing(form):
    given, wanted = good(form)
    rules, before = loose(form), verify(given, loose(form), wanted)
    for blob in list(lengths(form, given))[::7]:
        after = verify(part(given, 0, blob), rules, wanted)
        assert not after.accepted or after == before


@pytest.mark.parametrize(("form", "other"), list(itertools.permutations(FORMATS, 2)))
def test_evidence_of_one_format_is_not_anothers(form, other):
    given, wanted = good(other)
    found = verify(Evidence(form, given.raw, given.endorsements), loose(form), wanted)
    assert not found.accepted
    assert not found.claims


@pytest.mark.parametrize("form", FORMATS)
def test_parts_beyond_the_bounds_are_refused_before_they_are_read(form):
    for made in (
        Evidence(form, bytes(LARGEST + 1)),
        Evidence(form, b"", (bytes(LARGEST + 1),)),
        Evidence(form, b"", (b"",) * (MOST + 1)),
    ):
        assert codes(verify(made, loose(form), Asked(NOW))) == ["malformed"]


@pytest.mark.parametrize("form", FORMATS)
def test_a_format_that_the_policy_does_not_allow_is_refused_before_it_is_read(form):
    given, wanted = good(form)
    other = next(one for one in FORMATS if one != form)
    found = verify(given, loose(other), wanted)
    assert codes(found) == ["format_not_allowed"]
    assert not found.claims
