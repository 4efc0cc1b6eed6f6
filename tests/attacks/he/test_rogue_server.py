"""A server that says what it likes: a site decrypts one sum, a cohort's, with its own input in it, or names it.

The plan trusts the server of `he` to follow the protocol; these are the checks that a site makes all the same.
"""

import pytest
from msgspec.structs import replace as change

from potluck.core.party import SERVER
from potluck.core.rounds import Cause
from potluck.he.sum import messages as m
from potluck.secret.box import BoxKey
from potluck.secret.container import Secret
from potluck.secret.keys import SigningKey
from support.he.rogue import attack, left, me, other, refused, shifted, sitting
from support.mpc.mask_rogue import causes, seat_of

STRANGER = SigningKey(Secret(b"\7" * 32))


# --- The roster: whose keys make the joint key ---


def without(index):
    return lambda to, roster: change(roster, listed=tuple(one for one in roster.listed if one.site != index(to)))


def replaced(index, build):
    """The advert of one site rebuilt: build(receiver, advert) -> advert."""

    def hook(to, roster):
        at = index(to)
        listed = [change(one, advert=build(to, one.advert)) if one.site == at else one for one in roster.listed]
        return change(roster, listed=tuple(listed))

    return hook


OWN_CHANNEL = BoxKey(Secret(b"\3" * 96)).public

ROSTERS = {
    "my own advert is missing": (without(me), Cause.KEYS),
    "my own part was replaced": (replaced(me, lambda to, a: change(a, part=shifted(a.part))), Cause.KEYS),
    "my own channel key was replaced": (replaced(me, lambda to, a: change(a, channel=OWN_CHANNEL)), Cause.KEYS),
    "below the cohort": (
        lambda to, r: change(r, listed=tuple(one for one in r.listed if one.site in (to, other(to)))),
        Cause.COHORT,
    ),
    "another's part was replaced": (
        replaced(other, lambda to, a: change(a, part=shifted(a.part))),
        Cause.SIGNATURE,
    ),
    "another's channel key was replaced": (
        replaced(other, lambda to, a: change(a, channel=OWN_CHANNEL)), Cause.SIGNATURE),
    "another's part is no polynomial": (
        replaced(other, lambda to, a: change(a, part=b"\xff" * len(a.part))), Cause.SIGNATURE),
    "one site's advert under another's name": (
        lambda to, r: change(r, listed=tuple(change(one, advert=r.listed[to].advert) for one in r.listed)),
        Cause.SIGNATURE,
    ),
    "a site twice": (lambda to, r: change(r, listed=(r.listed[0], *r.listed)), Cause.MALFORMED),
    "a stranger": (lambda to, r: change(r, listed=(*r.listed, change(r.listed[0], site=4))), Cause.MALFORMED),
    "out of order": (lambda to, r: change(r, listed=r.listed[::-1]), Cause.MALFORMED),
}  # fmt: skip


@pytest.mark.parametrize("what", ROSTERS)
def test_a_roster_that_cannot_be_is_refused_by_every_site(workers, what):
    hook, cause = ROSTERS[what]
    sat = refused(workers, m.ROSTER, hook, cause)
    assert not left(sat, m.SHARE)
    assert not left(sat, m.INPUT)


@pytest.mark.parametrize("signs", ["the server", "a stranger", "another site"])
@pytest.mark.parametrize("what", ["part", "channel"])
def test_a_peers_key_that_someone_else_signed_is_refused(workers, what, signs):
    """Signed properly, with the server's own key, one that nobody knows, or an accomplice's."""
    terms = sitting(workers, 4, 1).terms

    def build(to, advert):
        accomplice = terms.sites[3 if to != 3 else 2]
        sign = {
            "the server": seat_of(terms, SERVER).sign,
            "a stranger": STRANGER.sign,
            "another site": seat_of(terms, accomplice).sign,
        }[signs]
        new = change(advert, **{what: shifted(advert.part) if what == "part" else OWN_CHANNEL})
        return change(new, signature=sign(m.advert_statement(terms, terms.sites[other(to)], new)))

    refused(workers, m.ROSTER, replaced(other, build), Cause.SIGNATURE)


@pytest.mark.parametrize(("what", "cause"), [("part", Cause.MALFORMED), ("channel", Cause.KEYS)])
def test_an_accomplices_part_that_is_no_polynomial_or_channel_that_is_no_key_is_the_servers_fault(workers, what, cause):
    """Properly signed: an honest server would not have passed it on."""
    sat = sitting(workers, 4, 1)

    def build(to, advert):
        new = change(advert, **{what: b"\xff" * len(getattr(advert, what))})
        owner = sat.terms.sites[other(to)]
        return change(new, signature=seat_of(sat.terms, owner).sign(m.advert_statement(sat.terms, owner, new)))

    refused(workers, m.ROSTER, replaced(other, build), cause)


# --- The relay: whose keys are in the joint key, and what they dealt ---


def unlisted(relay, *gone):
    """A relay without some dealers, their vaults and notes."""
    kept = [i for i, dealer in enumerate(relay.dealers) if dealer not in gone]
    notes = tuple(note for note in relay.notes if note.site not in gone)
    return m.Relay(tuple(relay.dealers[i] for i in kept), tuple(relay.vaults[i] for i in kept), notes)


def first_note(build):
    return lambda to, relay: change(relay, notes=(build(relay.notes[0]), *relay.notes[1:]))


def vault(index):
    """The hash of one dealer's vault replaced."""

    def hook(to, relay):
        vaults = [
            b"\0" * 32 if dealer == index(to) else h for dealer, h in zip(relay.dealers, relay.vaults, strict=True)
        ]
        return change(relay, vaults=tuple(vaults))

    return hook


RELAYS = {
    "I am not among the dealers": (lambda to, r: unlisted(r, to), Cause.SURVIVORS),
    "below the cohort": (lambda to, r: unlisted(r, *[i for i in range(4) if i not in (to, other(to))]), Cause.COHORT),
    "I am alone": (lambda to, r: unlisted(r, *[i for i in range(4) if i != to]), Cause.COHORT),
    "a stranger": (lambda to, r: change(r, dealers=(*r.dealers, 4)), Cause.MALFORMED),
    "a note is missing": (lambda to, r: change(r, notes=r.notes[1:]), Cause.MALFORMED),
    "a vault's hash is missing": (lambda to, r: change(r, vaults=r.vaults[1:]), Cause.MALFORMED),
    "notes under others' names": (
        lambda to, r: change(r, notes=tuple(change(r.notes[0], site=n.site) for n in r.notes)), Cause.SIGNATURE),
    "another box": (first_note(lambda n: change(n, box=bytes([n.box[0] ^ 1]) + n.box[1:])), Cause.SIGNATURE),
    "another commitment": (first_note(lambda n: change(n, commitment=b"\0" * 32)), Cause.SIGNATURE),
    "another signature": (first_note(lambda n: change(n, signature=b"\0" * 64)), Cause.SIGNATURE),
    "the hash of another's vault was replaced": (vault(other), Cause.SIGNATURE),
    "the hash of my own vault was replaced": (vault(me), Cause.KEYS),
    "two vaults' hashes were swapped": (
        lambda to, r: change(r, vaults=(r.vaults[1], r.vaults[0], *r.vaults[2:])), None),
}  # fmt: skip


@pytest.mark.parametrize("what", [what for what, (_, cause) in RELAYS.items() if cause])
def test_a_relay_that_cannot_be_is_refused_by_every_site(workers, what):
    hook, cause = RELAYS[what]
    sat = refused(workers, m.RELAY, hook, cause)
    assert not left(sat, m.INPUT)


def test_swapped_vault_hashes_are_refused(workers):
    desks, sat = attack(workers, {m.RELAY: RELAYS["two vaults' hashes were swapped"][0]}, n=4, d=1)
    found = causes(desks)
    assert {i: found[i][1] for i in range(4)} == dict.fromkeys(range(4), SERVER)
    assert {cause for cause, _ in found.values()} <= {Cause.SIGNATURE, Cause.KEYS}
    assert not left(sat, m.INPUT)


def test_a_dealer_that_never_advertised_is_refused(workers):
    def hook(to, relay):
        return m.Relay((*relay.dealers, 4), (*relay.vaults, b"\0" * 32), (*relay.notes, change(relay.notes[0], site=4)))

    refused(workers, m.RELAY, hook, Cause.MALFORMED, n=5, d=2, leaves={4: m.KEYS})


def test_two_groups_that_were_told_of_other_dealers_decrypt_nothing(workers):
    """Each group's joint key is another one: no input fits the other group's, and each group alone is too small."""
    desks, sat = attack(
        workers, {m.RELAY: lambda to, r: unlisted(r, 3 if to < 2 else 0) if to in (1, 2) else r}, n=4, d=1
    )
    assert not left(sat, m.PARTIAL)
    assert desks[SERVER].abort.cause is Cause.TOO_FEW
