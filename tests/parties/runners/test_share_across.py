"""`share` across machines, with the network in memory: who computes has a home, a policy and letters of its own."""

import time
from collections import Counter
from datetime import UTC, datetime

import msgspec
import pytest

from potluck.api.network.carried import possible
from potluck.api.network.inbox import inbox
from potluck.api.network.preview import preview
from potluck.core.errors import PlanError, Refused, UsageError
from potluck.core.party import SERVER, Party, Role, site
from potluck.core.plan import canonical
from potluck.core.rounds import Label, Parcel, RoundId
from potluck.members.home import CoordinatorHome, SiteHome
from potluck.parties.admission.proposal import Denied, plan_of
from potluck.parties.admission.session import Proposal
from potluck.parties.runners.identity import identity
from potluck.parties.runners.seated import EARLY, Seated
from potluck.secret.container import Secret
from potluck.secret.envelope import Header, seal
from potluck.secret.keys import SigningKey
from potluck.testing.draws import seeded
from support.parties import across, scene
from support.parties.across import quick
from support.parties.lines import Exchange

SERVERS = ("alpha", "beta", "gamma")
NAMES = "abcd"
EVERYBODY = (*NAMES, *(f"compute-{name}" for name in SERVERS))


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    folder = across.found(tmp_path_factory.mktemp("federation"))
    across.computing(folder, (*SERVERS, "delta"))
    return folder


def plan(**said):
    made = scene.plan(word="share", server="curious")
    for key, value in said.items():
        made = made.set(key.replace("__", "."), value)
    return made


def compute(name):
    return Party(Role.COMPUTE, name)


def policy(fed, name, **change):
    """A compute party's policy, changed."""
    path = fed.folder / f"compute-{name}" / "policy.toml"
    text = path.read_text()
    for old, new in change.values():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def header(data):
    return msgspec.msgpack.decode(data[8 : 8 + int.from_bytes(data[4:8], "big")], type=Header)


class Hostile:
    """A network that repeats every letter, holds each BEGIN to site a back until others' letters came, and adds letters
    of a stranger in a compute party's name and of a member that the plan does not name."""

    def __init__(self, folder):
        it = SiteHome.at(folder / "compute-delta").open(time.time())
        self.delta, self.stranger, self.federation = (
            identity(it),
            SigningKey(Secret(seeded("stranger")(32))),
            bytes.fromhex(it.federation.id),
        )
        self.held, self.keys, self.added = [], 0, 0

    def __call__(self, sender, to, data):
        about = header(data)
        out = [(to, data), (to, data)]
        if about.step.startswith("share/") and sender.role is Role.COMPUTE and to != SERVER:
            said = Parcel(Label(RoundId(about.run, about.number), about.step), b"nonsense")
            out = [(to, seal(self.stranger, self.federation, sender, to, said)), *out]
            out = [(to, self.delta.close(to, said)), *out]
            self.added += 2
        if to == site("a") and about.step == "begin":
            self.held += out
            return []
        if to == site("a") and about.step == "share/keys":
            self.keys += 1
            if self.keys % 3 == 0:
                out, self.held = [*out, *self.held], []
        return out


@pytest.mark.slow
def test_the_model_is_that_of_mask_whatever_the_network_repeats_reorders_and_makes_up(mpc_engine, fed):
    network = Hostile(fed.folder)
    fed.exchange = Exchange(network)
    with fed.attending(*EVERYBODY):
        outcome, log = fed.run(quick(plan()))
    assert outcome.model.digest() == scene.Scene(scene.plan(word="mask")).run().model.digest()
    assert [one.number for one in log.rounds] == [1, 2, 3, 4]
    assert all(not one.dropped for one in log.rounds)
    assert network.added > 20
    rounds = [line for line in fed.heard["compute-alpha"] if line.startswith("round")]
    assert rounds == [f"round {number}: done" for number in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("cause", "change"),
    [
        ("protect", ('protect = ["*"]', 'protect = ["he"]')),
        pytest.param("engine", ("[engine]\naddress", "[engine]\n# address"), marks=pytest.mark.slow),
    ],
)
def test_who_computes_says_no_and_is_named_though_all_sites_agree(fed, cause, change):
    policy(fed, "beta", change=change)
    with fed.attending(*EVERYBODY), pytest.raises(Refused) as stop:
        fed.run(quick(plan()))
    assert stop.value.exit_code == 3
    assert f"beta (compute) refuses this plan ({cause})" in str(stop.value)
    assert cause in " ".join(fed.heard["compute-beta"])


def test_a_plan_whose_compute_parties_are_no_members_is_not_taken_up_by_anybody(fed):
    made = plan(protect={"with": "share", "compute": ["alpha", "beta", "nobody"]})
    chief = CoordinatorHome.at(fed.folder / "fed").open(time.time())
    with pytest.raises(PlanError, match=r"protect\.compute: nobody is no member of fed as a compute party"):
        possible(made, chief.federation, datetime.now(UTC))
    proposal = Proposal("1", 1, bytes(32), canonical(made.spec), bytes(32), b"")
    with pytest.raises(Denied, match="names parties that are no members"):
        plan_of(proposal, chief.federation, site("a"))
    with pytest.raises(Denied, match="does not name this party"):
        plan_of(msgspec.structs.replace(proposal, plan=canonical(plan().spec)), chief.federation, compute("delta"))


def test_an_owner_sees_who_computes_and_what_would_leave_and_who_computes_sees_for_whom(fed):
    for name in ("a", *(f"compute-{one}" for one in SERVERS)):
        path = fed.folder / name / "policy.toml"
        path.write_text(path.read_text().replace('rule = "policy"', 'rule = "person"'))
    with fed.attending(*EVERYBODY), pytest.raises(Refused, match=r"a has not approved it yet"):
        fed.run(quick(plan()), answered=[*"abcd", *SERVERS])
    (owner,) = inbox(fed.folder / "a")
    assert "alpha, beta, gamma compute, and any two of them could open everything" in owner.together
    assert sum("sees of a's update: share" in line and "2 of alpha, beta, gamma" in line for line in owner.seen) == 3
    leaving = preview(fed.folder / "a", owner.request.hash)
    assert [step for step, _ in leaving.letters] == ["share/input"] * 4 + ["share/confirm"] * 3
    (party,) = inbox(fed.folder / "compute-alpha")
    assert party.together == "it computes, with beta, gamma, for a, b, c, d; it gives no rows"
    assert any("alpha sees of d's update: share" in line for line in party.seen)
    assert "no epsilon" in party.cost
    with pytest.raises(UsageError, match="no rows"):
        preview(fed.folder / "compute-alpha", party.request.hash)


@pytest.mark.slow
def test_one_who_computes_and_is_away_is_waited_for_and_then_named(mpc_engine, fed):
    here = [name for name in EVERYBODY if name != "compute-gamma"]
    with fed.attending(*here), pytest.raises(Refused, match=r"not heard of within 8 s: gamma \(compute\)"):
        fed.run(quick(plan()), wait=8.0)


def letter(number, step="share/keys", size=10):
    return Parcel(Label(RoundId("run", number), step), bytes(size))


def seat():
    return Seated(part=None, proposal=None, tries=Counter())


def test_letters_of_a_round_to_come_are_kept_a_few_of_each_partner_and_of_the_newest_round():
    one = seat()
    for step in range(3 * EARLY):
        one.keep(compute("alpha"), letter(1, f"s{step}"))
    one.keep(compute("beta"), letter(2))
    one.keep(compute("beta"), letter(1))
    one.number = 1
    kept = one.kept()
    assert [who for who, _ in kept] == [compute("alpha")] * EARLY
    one.number = 2
    assert one.kept() == [(compute("beta"), letter(2))]
    assert one.kept() == []


def test_a_flood_of_bytes_before_a_round_is_cut_off():
    one = seat()
    one.keep(compute("alpha"), letter(1, "a", 1 << 26))
    one.keep(compute("alpha"), letter(1, "b", 1))
    one.number = 1
    assert [said.label.step for _, said in one.kept()] == ["a"]
