"""A party that computes: a home, a card and a place in the federation file of its own, beside a site of that name."""

import json
import time

import pytest

from potluck.api.network import members as api
from potluck.core.errors import Refused, UsageError
from potluck.core.party import SERVER, Party, Role, site
from potluck.members.home import SiteHome
from potluck.parties.runners.identity import identity
from support.members.scene import NOW, after, federation

ALPHA = Party(Role.COMPUTE, "alpha")


@pytest.fixture
def place(tmp_path):
    """A federation of the sites a and alpha, and the compute party alpha, all joined."""
    now = time.time()
    api.federation_new(tmp_path / "fed", "tls://localhost:4222", now, 30)
    for name, folder, computes in (("a", "a", False), ("alpha", "rows", False), ("alpha", "engine", True)):
        api.site_new(tmp_path / folder, name, compute=computes)
    cards = [SiteHome.at(tmp_path / folder).card for folder in ("a", "rows", "engine")]
    api.federation_add(tmp_path / "fed", cards, now)
    for folder in ("a", "rows", "engine"):
        api.site_join(tmp_path / folder, tmp_path / "fed" / "federation.toml", now)
    return tmp_path


def test_a_compute_party_and_a_site_of_one_name_are_two_members(place):
    shown = api.federation_show(place / "fed", time.time())
    assert shown.federation.sites == (site("a"), site("alpha"))
    assert shown.federation.computes == (ALPHA,)
    document = shown.document()
    assert set(document["members"]) == {"a", "alpha"}
    assert set(document["compute"]) == {"alpha"}
    assert document["members"]["alpha"] != document["compute"]["alpha"]
    assert (SiteHome.at(place / "engine").me, SiteHome.at(place / "rows").me) == (ALPHA, site("alpha"))


def test_the_home_of_one_does_not_open_as_the_other(place):
    marker = place / "engine" / "site.toml"
    marker.write_text(marker.read_text().replace('"compute"', '"site"'))
    with pytest.raises(Refused, match="our fingerprint"):
        SiteHome.at(place / "engine").open(time.time())


def test_a_card_of_one_role_is_not_taken_for_another(place):
    card = SiteHome.at(place / "engine").card
    text = card.read_text()
    assert 'role = "compute"' in text
    card.write_text(text.replace('role = "compute"', 'role = "site"'))
    with pytest.raises(Refused, match="bad signature"):
        api.federation_add(place / "fed", [card], time.time())


def test_one_is_removed_and_the_other_stays(place):
    shown = api.federation_remove(place / "fed", "alpha", time.time(), compute=True)
    assert shown.federation.computes == ()
    assert site("alpha") in shown.federation.sites
    assert shown.changed == ("alpha (compute)",)
    with pytest.raises(UsageError, match=r"alpha \(compute\) is not a member"):
        api.federation_remove(place / "fed", "alpha", time.time(), compute=True)


def test_a_second_card_of_one_compute_party_is_refused(place):
    api.site_new(place / "twin", "alpha", compute=True)
    with pytest.raises(UsageError, match=r"alpha \(compute\) is a member already"):
        api.federation_add(place / "fed", [SiteHome.at(place / "twin").card], time.time())


def test_new_keys_of_a_compute_party_take_the_place_of_the_old(place):
    made = api.site_rotate(place / "engine")
    assert made.role == "compute"
    api.federation_rotate(place / "fed", [made.card], time.time(), keys=False, days=None)
    joined = api.site_join(place / "engine", place / "fed" / "federation.toml", time.time())
    assert joined.fingerprint == made.fingerprint


def test_sites_write_to_who_computes_and_who_computes_to_all(place):
    opened = {folder: SiteHome.at(place / folder).open(time.time()) for folder in ("a", "engine")}
    known = {folder: identity(membership).senders.parties for folder, membership in opened.items()}
    assert known["a"] == {SERVER, ALPHA}
    assert known["engine"] == {SERVER, site("a"), site("alpha")}


def test_a_coordinator_cannot_be_a_member_of_any_role():
    one = federation("a", "b")
    twice = after(one, members=(*one.members, one.coordinator))
    with pytest.raises(UsageError, match=r"a site's or a compute party's"):
        twice._shape()
    assert twice.issued < NOW


def test_the_broker_lets_sites_write_to_who_computes_and_not_to_each_other(place):
    from potluck.net.address import subject

    text = (place / "fed" / "broker" / "nats.conf").read_text()
    it = SiteHome.at(place / "a").pinned()
    lines = {party: next(one for one in text.splitlines() if f'"{key}"' in one) for party, key in it.users().items()}

    def may(sender, to):
        return json.dumps(subject(it.id, to, sender)) in lines[sender]

    a, rows = site("a"), site("alpha")
    assert may(a, SERVER)
    assert may(a, ALPHA)
    assert not may(a, rows)
    assert all(may(ALPHA, to) for to in (SERVER, a, rows))
    assert not may(ALPHA, ALPHA)


def test_its_policy_denies_all_and_needs_no_rows(place):
    from potluck.owner.policy import Allow, Source
    from potluck.owner.reading import read

    found = read(place / "engine" / "policy.toml")
    assert found.source == Source()
    assert found.engine.address is None
    assert (found.allow.who, found.allow.tasks, found.allow.protect) == (Allow().who, (), ())
