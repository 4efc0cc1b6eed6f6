"""What monitoring is answered: Prometheus' text, 503 where something is not well, and nothing that is private."""

import http.client
import re
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from potluck.api.network.doctor import home as homes_checks
from potluck.api.network.running.coordinator import coordinating
from potluck.api.network.running.health import Check, Figure, Health, Looking, health
from potluck.api.network.running.pulse import Pulse, heard
from potluck.console.health import metrics, program, watched
from potluck.core.errors import Unreachable, UsageError
from potluck.core.party import site
from potluck.members.home import CoordinatorHome, SiteHome
from support.console import home as homes
from support.console.office import FakeOffice, live

PORT = 9464
HERE = f"http://localhost:{PORT}"


@pytest.fixture
def pulse(home):
    """Of a process that is connected and did a few things."""
    made = Pulse(SiteHome.at(home))
    made.line(None)
    for what, outcome in (("round", "done"), ("round", "silent"), ("request", "pending")):
        made.noted(what, outcome)
    made.noted("discarded", "bad signature")
    made.moved("in", 70)
    made.moved("out", 30)
    return made


@pytest.fixture
def ask(pulse):
    """A client of the two addresses."""
    return TestClient(
        program(Looking(lambda now: health(pulse, now)), PORT), base_url=HERE, raise_server_exceptions=False
    )


def families(text):
    return {one.name: one for one in text_string_to_metric_families(text)}


def value(found, name, **labels):
    (sample,) = [one for one in found[name].samples if one.labels == labels]
    return sample.value


def test_metrics_are_what_happened(ask, home):
    homes.ask(home)
    answer = ask.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = families(answer.text)
    assert value(found, "potluck_broker_connected") == 1
    assert value(found, "potluck_rounds", outcome="done") == value(found, "potluck_rounds", outcome="silent") == 1
    assert value(found, "potluck_letter_bytes", direction="in") == 70
    assert value(found, "potluck_discarded", cause="bad signature") == 1
    assert value(found, "potluck_discarded", cause="malformed message") == 0  # so that the first of them is a rise
    assert value(found, "potluck_answers", outcome="denied") == 0
    assert value(found, "potluck_notifications", outcome="done") == 0
    assert value(found, "potluck_requests_waiting") == 1
    assert 29 * 86400 < value(found, "potluck_federation_expiry_seconds") <= 30 * 86400
    assert value(found, "potluck_disk_free_bytes") > 0
    assert found["potluck_build_info"].samples[0].labels.keys() == {"version", "python"}


@pytest.fixture
def office(home):
    """Of the coordinator, with one run of each of two states."""
    made = FakeOffice(CoordinatorHome.at(home.parent / "fed"))
    made.runs = [live("0" * 32, "zebra", "ab" * 32), live("1" * 32, "zebra", "ab" * 32, state="queued", why="zebra")]
    made.here = {site("a"): 1.0, site("b"): 300.0, site("c"): None}
    return made


def test_a_coordinator_is_watched_likewise(office):
    found = coordinating(office, 5.0, time.time())
    assert found.good
    said = families(metrics(found.figures).decode())
    assert value(said, "potluck_runs", state="queued") == 1
    assert (value(said, "potluck_members"), value(said, "potluck_members_online")) == (3, 1)
    assert value(said, "potluck_start_time_seconds") == 5
    assert "zebra" not in metrics(found.figures).decode()
    office.trouble, office.nodes = Unreachable("zebra"), {"a": True, "b": False}
    nodes = families(metrics(coordinating(office, 5.0, time.time()).figures).decode())
    assert (value(nodes, "potluck_broker_nodes", answers="no")) == 1
    assert [one.name for one in coordinating(office, 5.0, time.time() + 31 * 86400).checks if not one.good] == [
        "broker",
        "expiry",
    ]


BASE_UNITS = re.compile(r"_(seconds|bytes|info|connected|readable|waiting|nodes|runs|members|online|total)$")


def test_metrics_keep_prometheus_rules_of_names(pulse, office):
    """Those that `promtool check metrics` looks for: help texts, base units, counters that end so and no others."""
    for one in (*health(pulse, pulse.clock()).figures, *coordinating(office, 0.0, 1.0).figures):
        assert re.fullmatch(r"potluck_[a-z_]+", one.name)
        assert BASE_UNITS.search(one.name), one.name
        assert one.what
        assert one.name.endswith("_total") == (one.kind == "counter")
        assert not re.search(r"(gauge|counter|metric)", one.name)


def test_nothing_private_is_answered(ask, home, pulse):
    evil = 'zebra"\n{} $(x)'
    plan = homes.ask(home, homes.spec(name=evil, purpose="zebra"), "zebra-run", asker="zebra")
    pulse.line(Unreachable("zebra", where="zebra"))
    (home / "policy.toml").write_text("zebra = 1\n")
    for path in ("/metrics", "/healthz"):
        text = ask.get(path).text
        assert "zebra" not in text
        assert plan[:16] not in text
        assert str(home) not in text
        assert "epsilon" not in text


def test_healthz_tells_what_is_not_well(pulse, home, monkeypatch):
    now = pulse.clock()
    assert health(pulse, now).good
    pulse.line(Unreachable("gone"))
    (home / "policy.toml").write_text("nonsense = 1\n")
    monkeypatch.setattr(homes_checks.shutil, "disk_usage", lambda folder: type("usage", (), {"free": 1}))
    found = health(pulse, now + 31 * 86400)
    assert {one.name for one in found.checks if not one.good} == {"broker", "policy", "disk", "expiry"}
    answer = TestClient(program(lambda: found, PORT), base_url=HERE).get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["broker"] == {"good": False, "what": "not connected"}


def test_a_process_that_computes_still_knows_its_connection_and_says_how_long_it_is_busy(home):
    times = [1000.0]
    pulse = Pulse(SiteHome.at(home), lambda: times[0])

    class Line:
        trouble = None

    pulse.follow(Line)
    pulse.beat()
    times[0] += 70
    found = {one.name: one.samples for one in health(pulse, times[0]).figures}
    assert found["potluck_busy_seconds"] == {(): 70.0}
    assert found["potluck_broker_connected"] == {(): 1.0}
    Line.trouble = Unreachable("gone")
    assert not health(pulse, times[0]).good
    Line.trouble = None
    assert pulse.counts().reconnects == 1
    pulse.connected(4, {"tls://a.example:4222": True, "tls://b.example:4222": False, "tls://c.example:4222": True})
    found = {one.name: one.samples for one in health(pulse, times[0]).figures}
    assert found["potluck_broker_reconnects_total"] == {(): 3.0}, "also those that were over too soon to be seen"
    assert found["potluck_broker_nodes"] == {("yes",): 2.0, ("no",): 1.0}
    times[0] += 2
    pulse.beat()
    assert heard(SiteHome.at(home).status).nodes["tls://b.example:4222"] is False


def test_healthz_is_200_where_all_is_well(ask):
    answer = ask.get("/healthz")
    assert (answer.status_code, answer.json()["good"]) == (200, True)
    assert ask.head("/healthz").status_code == ask.head("/metrics").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_it_only_answers(ask, method):
    same = {"Origin": HERE, "Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
    assert ask.request(method, "/metrics", headers=same).status_code == 405


@pytest.mark.parametrize("host", [f"localhost:{PORT}", f"127.0.0.1:{PORT}", f"[::1]:{PORT}"])
def test_it_answers_to_this_machines_own_names(ask, host):
    assert ask.get("/metrics", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", [f"evil.example:{PORT}", "localhost", f"localhost:{PORT + 1}", f"localhost.:{PORT}", ""]
)
def test_a_name_that_an_attacker_points_here_is_refused(ask, host):
    answer = ask.get("/metrics", headers={"Host": host})
    assert answer.status_code == 421
    assert "potluck_" not in answer.text


def test_pages_of_other_sites_neither_ask_nor_show_it(ask):
    assert ask.get("/metrics", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    answer = ask.get("/metrics")
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in answer.headers
    assert "set-cookie" not in answer.headers


def test_there_is_nothing_else(ask):
    for path in ("/", "/requests", "/metrics/", "/%2e%2e/etc/passwd", "/healthz?x=" + "y" * 2000, "/style.css"):
        assert ask.get(path).status_code == 404, path


def test_who_asks_ever_more_often_makes_no_work(pulse):
    times = iter([0.0, 1.0, 4.9, 5.1, 1.0])
    looking = Looking(lambda now: health(pulse, now), lambda: next(times))
    first = looking()
    assert looking() is looking() is first
    assert looking() is not first
    assert looking() is not first  # a clock that went back is no reason to repeat for ever


def test_labels_of_hostile_words_stay_labels():
    text = metrics([Figure("x_total", "counter", "h", {('a"\n} 1\ny 2',): 3.0}, ("cause",))]).decode()
    (family,) = families(text).values()
    assert value({"x": family}, "x", cause='a"\n} 1\ny 2') == 3


def test_it_answers_in_a_thread_until_it_is_told_to_end():
    found = Health((Check("a", True, "b"),), ())
    with watched(lambda: found, 0) as port:
        for host in ("127.0.0.1", "localhost"):
            line = http.client.HTTPConnection(host, port, timeout=60)
            line.request("GET", "/healthz")
            assert line.getresponse().status == 200
            line.close()
        with pytest.raises(UsageError, match=f"port {port} cannot be used"), watched(lambda: found, port):
            pass
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", port, timeout=60).request("GET", "/healthz")
