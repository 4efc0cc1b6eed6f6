"""A run's page follows the run, within bounds, for as long as somebody is signed in. Over a real server."""

import json
import threading
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from potluck.console import serve
from potluck.console.origin import Origin
from potluck.console.server import live as streams
from potluck.members.persons import Persons
from support.console import office as offices
from support.console.home import TOKEN, served
from support.console.office import Event, live

RUN = "a" * 32


@pytest.fixture
def pages(copied, monkeypatch):
    """(the desk, a client who is signed in)."""
    monkeypatch.setattr(streams.Streams.__init__, "__defaults__", (0.02,))
    with serve.listening(0) as (port, sockets), offices.desk(copied, Origin.here(port)) as desk:
        desk.office.runs.append(live(RUN, state="open"))
        with served(desk.app, sockets), httpx.Client(base_url=Origin.here(port).text, timeout=60) as client:
            client.headers["Origin"] = Origin.here(port).text
            assert client.post("/enter/now", data={"token": TOKEN}).status_code == 303
            yield desk, client


@contextmanager
def following(client):
    """The lines of a stream that is open."""
    with client.stream("GET", f"/runs/{RUN}/news") as answer:
        yield answer, answer.iter_lines()


def parts(lines):
    """The next news."""
    line = next(line for line in lines if line.startswith("data: "))
    return json.loads(line.removeprefix("data: "))


def test_what_changes_is_told_and_nothing_else(pages):
    desk, client = pages
    with following(client) as (answer, lines):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert set(parts(lines)) == {"now", "state", "sites", "curves", "rounds", "words"}
        desk.office.said[RUN] = [Event(1, "2026-12-01T10:00:00.000+00:00", "answer", "a: <b>granted</b>")]
        news = parts(lines)
        while "words" not in news:  # seconds that passed are news, too
            news = parts(lines)
        assert "rounds" not in news
        assert "a: &lt;b&gt;granted&lt;/b&gt;" in news["words"]
        desk.office.change(RUN, state="finished")
        assert "event: over" in list(lines)


def test_a_stream_ends_with_its_session(pages):
    desk, client = pages
    with following(client) as (_, lines):
        parts(lines)
        form = client.get("/").text.partition('action="/sign-out"')[2].partition('name="form" value="')[2][:64]
        assert client.post("/sign-out", data={"form": form}).status_code == 303
        desk.office.change(RUN, opened=1)
        assert not any("event: over" in line for line in lines)  # it ends, and says nothing more of the run
    assert client.get(f"/runs/{RUN}/news").headers["location"] == "/sign-in"


def test_a_stream_ends_when_its_person_is_removed_or_rests(pages):
    desk, client = pages
    for end in (lambda: Persons(desk.folder / "persons.json").invite("bob", 0.0),):
        with following(client) as (_, lines):
            parts(lines)
            end()
            list(lines)
        assert client.get("/").headers["location"] == "/sign-in"


def test_streams_are_bounded_and_a_closed_one_makes_room(pages):
    _, client = pages
    with ExitStack() as stack:
        opened = [stack.enter_context(following(client)) for _ in range(streams.EACH)]
        for _, lines in opened:
            parts(lines)
        assert client.get(f"/runs/{RUN}/news").status_code == 429
        assert client.get("/").status_code == 200
    gone = threading.Event()
    for _ in range(600):
        with following(client) as (answer, _):
            if answer.status_code == 200:
                return
        gone.wait(0.05)
    raise AssertionError("no room was made")


def test_one_person_in_many_browsers_takes_not_all_streams():
    mine, other = [("h1", "ann", number) for number in range(8)], ("h2", "dave", 99)
    bounded = streams.Streams()
    taken = [bounded._taken(key) for key in mine for _ in range(streams.EACH)]
    assert taken.count(True) == streams.PERSON < streams.ALL
    assert bounded._taken(other)
    bounded._left(mine[0])
    assert bounded._taken(mine[7])


def test_many_pages_read_the_journals_once_a_moment(pages):
    desk, client = pages
    with ExitStack() as stack:
        for _ in range(3):
            _, lines = stack.enter_context(following(client))
            parts(lines)
        before = desk.office.asked
        gone = threading.Event()
        gone.wait(0.5)
        assert desk.office.asked - before <= 2  # of about 75 looks
