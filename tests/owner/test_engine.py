"""What a policy says of a party's engine, and what is asked of one that only computes."""

from datetime import datetime

import pytest

from potluck.api.plan.plan import Plan
from potluck.core.errors import UsageError
from potluck.owner import policy
from potluck.owner.judge import computing
from potluck.owner.policy import Source
from potluck.owner.reading import parse, ports
from potluck.tasks.participation import Denied, engine_address
from support.owner.plans import OPEN

NOW = datetime.fromisoformat("2026-11-24T10:00:00+00:00")
ALLOWING = """
version = 1
[engine]
address = "127.0.0.1:9400-9403"
[allow]
who = ["clinics"]
tasks = ["train"]
protect = ["share"]
noise = ["none"]
"""


def plan():
    return Plan(
        name="p",
        purpose="test",
        task="train",
        federation={"sites": list("abcd"), "corrupt": 1, "dropouts": 1, "server": "curious"},
        data={
            "columns": {"x": {"kind": "number", "low": -3, "high": 3}},
            "target": {"column": "y", "positive": ["1"]},
            "split": {"test": 0.3},
        },
        model={"kind": "logistic"},
        training={"method": "gradient", "rounds": 3, "expected_rows": 100},
        protect={"with": "share"},
        privacy={"noise": "none"},
    ).spec


def denied(text):
    found = computing(parse(text, "policy.toml"), plan(), asker=frozenset({"clinics"}), now=NOW)
    return [one.code for one in found]


def test_an_address_is_a_port_or_a_range_of_ports():
    assert ports("a.example:9400") == ["a.example:9400"]
    assert ports("[::1]:9400-9401") == ["[::1]:9400", "[::1]:9401"]
    assert ports("10.0.0.1:65535-65535") == ["10.0.0.1:65535"]


@pytest.mark.parametrize(
    "text",
    ["", "a.example", "a.example:", ":9400", "a:0", "a:9-8", "a:70000", "a:1-65536", "a b:9", "tls://a:9", "a:9\n"],
)
def test_what_is_no_address_is_refused(text):
    assert ports(text) == ()
    with pytest.raises(UsageError, match=r"engine\.address is not host:port"):
        parse(f"version = 1\n[engine]\naddress = {text!r}\n".replace("'", '"'), "policy.toml")


@pytest.mark.parametrize("text", ["a b", "a:0", "tls://a", "a:9-8", "", "*:9"])
def test_a_peer_that_is_no_address_is_refused(text):
    with pytest.raises(UsageError, match=r"engine\.peers has .*, which is no address"):
        parse(f'version = 1\n[engine]\npeers = ["{text}"]\n', "policy.toml")


def test_peers_are_hosts_with_ports_or_without_and_none_where_nothing_is_said():
    read = lambda line: parse(f"version = 1\n[engine]\n{line}", "p").engine.peers  # noqa: E731
    assert read('peers = ["b.example", "c:9400-9407", "[::1]:1"]') == ("b.example", "c:9400-9407", "[::1]:1")
    assert read('peers = "*"') == ("*",)
    assert read("") == ()


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("", "engine.address ="),
        ('address = "127.0.0.1:9400"', "engine.peers ="),
        ('address = "127.0.0.1:9400"\npeers = []', "engine.peers ="),
    ],
)
def test_who_computes_is_denied_until_its_owner_says_where_it_is_reached_and_whom_it_dials(engine, said):
    with pytest.raises(Denied) as stop:
        engine_address(parse(f"version = 1\n[engine]\n{engine}", "p"), "policy.toml")
    assert stop.value.code == "engine"
    assert said in str(stop.value)
    whole = parse('version = 1\n[engine]\naddress = "127.0.0.1:9400"\npeers = ["b:1"]', "p")
    assert engine_address(whole, "policy.toml").peers.listed == ("b:1",)


def test_with_an_engine_a_policy_needs_no_rows_and_without_one_it_does():
    assert parse(ALLOWING, "p").source == Source()
    assert parse("version = 1\n[engine]", "p").engine.address is None
    with pytest.raises(UsageError, match="source needs one of"):
        parse("version = 1", "p")
    with pytest.raises(UsageError, match="source needs one of"):
        parse("version = 1\n[engine]\n[source]", "p")
    assert parse(OPEN, "p").engine.address is None


def test_who_computes_is_asked_who_for_what_and_how_and_for_nothing_of_rows():
    assert denied(ALLOWING) == []


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('who = ["clinics"]', "who = []", "who"),
        ('tasks = ["train"]', 'tasks = ["predict"]', "tasks"),
        ('protect = ["share"]', "protect = []", "protect"),
        ('noise = ["none"]', 'noise = ["shared"]', "noise"),
        ('noise = ["none"]', 'noise = ["none"]\nmin_sites = 4', "min_sites"),
        ('noise = ["none"]', 'noise = ["none"]\nserver = ["lying"]', "server"),
        ('noise = ["none"]', 'noise = ["none"]\nhours = ["sat"]', "hours"),
    ],
)
def test_what_it_does_not_allow_is_denied_by_that_key(old, new, code):
    assert old in ALLOWING
    assert denied(ALLOWING.replace(old, new)) == [code]


def test_the_policy_of_a_new_compute_party_denies_all():
    assert denied(policy.template("alpha", compute=True)) == ["who", "tasks", "protect", "noise", "hours"]
