"""Whose browser it is: a session is made at sign-in alone, ends in time, and is of one site's pages."""

from starlette.responses import Response

from potluck.console.entry import LIFE
from potluck.console.origin import Origin
from potluck.console.sessions import IDLE, LONGEST, SESSIONS, Sessions
from potluck.owner.access import read
from support.console import home as homes
from support.console.home import TOKEN, Clock, Visitor


def cookie(answer):
    """(name and value, attributes) of the one cookie that an answer sets."""
    (said,) = answer.headers.get_list("set-cookie")
    first, *attributes = said.split("; ")
    return first, {one.lower() for one in attributes}


def test_a_cookie_is_out_of_reach_of_scripts_and_of_other_sites(home):
    visitor = Visitor(home)
    first, attributes = cookie(visitor.post("/enter/now", {"token": TOKEN}))
    assert first.startswith("potluck-")
    assert len(first.partition("=")[2]) == 64
    assert attributes == {"httponly", "path=/", "samesite=strict"}


def test_behind_a_proxy_a_cookie_is_of_this_host_and_of_tls_alone():
    answer = Response()
    Sessions(Origin.behind("https://potluck.example"), "tag", Clock(), lambda: "t" * 64).begin("ann", answer)
    said = answer.headers["set-cookie"].lower()
    assert said.startswith("__host-potluck-tag=")
    assert "; secure" in said
    assert "domain" not in said


def test_without_a_session_no_page_says_anything(home, plan):
    visitor = Visitor(home)
    for path in ("/", "/past", f"/requests/{plan}"):
        answer = visitor.get(path)
        assert (answer.status_code, answer.headers["location"].partition("?")[0], answer.text) == (303, "/sign-in", "")
    assert visitor.post(f"/requests/{plan}/decide", {"verdict": "approve", "form": "0" * 64}).status_code == 401
    assert plan not in visitor.get("/sign-in").text


def test_an_id_that_a_browser_brings_is_never_taken_over(home):
    """Session fixation: an attacker who could set a cookie before sign-in knows nothing after it."""
    visitor = Visitor(home)
    planted = "a" * 64
    name = cookie(Visitor(home).post("/enter/now", {"token": TOKEN}))[0].partition("=")[0]
    said = {"Cookie": f"{name}={planted}"}
    first, _ = cookie(visitor.post("/enter/now", {"token": TOKEN}, **said))
    assert first.partition("=")[2] != planted
    visitor.client.cookies.clear()
    assert visitor.get("/", **said).status_code == 303
    assert visitor.get("/", Cookie=first).status_code == 200  # the control
    for several in (f"{first}; {name}={planted}", f"{name}={planted}; {first}"):
        assert visitor.get("/", Cookie=several).status_code == 200  # another port planted one, and signs nobody out


def test_of_two_sessions_in_one_browser_neither_counts():
    """An insider could plant one of their own, in which another then decides."""
    sessions = Sessions(Origin.here(1), "tag", Clock(), iter(map(str, range(10))).__next__)
    ann, eve = (sessions.begin(name, Response()) for name in ("ann", "eve"))
    assert sessions.find("potluck-tag=0; potluck-tag=1") is None
    sessions.forget(eve)
    assert sessions.find("potluck-tag=1; potluck-tag=0; potluck-tag=") is ann


def test_a_session_ends_when_it_rests_and_in_any_case(ann):
    ann.clock.now += IDLE - 1
    assert ann.get("/").status_code == 200
    ann.clock.now += IDLE + 1
    assert ann.get("/").status_code == 303


def test_a_session_that_never_rests_ends_too(ann):
    begun = ann.clock.now
    while ann.clock.now + IDLE / 2 < begun + LONGEST:
        ann.clock.now += IDLE / 2
        assert ann.get("/").status_code == 200
    ann.clock.now += IDLE / 2 + 1
    assert ann.get("/").status_code == 303


def test_after_signing_out_the_cookie_is_worth_nothing(home, ann):
    held = "; ".join(f"{name}={value}" for name, value in ann.client.cookies.items())
    form = ann.form("/", "/sign-out")
    assert ann.post("/sign-out", {"form": "0" * 64}).status_code == 409  # another page cannot sign her out
    assert ann.get("/").status_code == 200
    answer = ann.post("/sign-out", {"form": form})
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    ann.client.cookies.clear()
    assert ann.get("/", Cookie=held).status_code == 303
    assert [one.event for one in read(home / "access.jsonl").entries] == ["sign-in", "sign-out"]


def test_the_session_of_another_site_is_none(home, tmp_path):
    """Cookies of a host know no port: two sites' pages on one machine get each other's."""
    other = Visitor(homes.found(tmp_path / "other"), origin=Origin.here(8712)).enter()
    theirs = "; ".join(f"{name}={value}" for name, value in other.client.cookies.items())
    mine = Visitor(home).enter()
    assert set(other.client.cookies) & set(mine.client.cookies) == set()  # neither signs the other out
    (own,) = mine.client.cookies
    mine.client.cookies.clear()
    assert mine.get("/", Cookie=theirs).status_code == 303
    named = f"{own}={theirs.partition('=')[2]}"  # under this site's name
    assert mine.get("/", Cookie=named).status_code == 303


def test_who_signs_in_often_signs_nobody_else_out():
    sessions = Sessions(Origin.here(1), "tag", Clock(), iter(map(str, range(10**6))).__next__)
    for person in ("ann", *["bob"] * (2 * SESSIONS)):
        sessions.begin(person, Response())
    assert sessions.find("potluck-tag=0") is not None


def test_sessions_cannot_fill_the_memory():
    sessions = Sessions(Origin.here(1), "tag", Clock(), iter(map(str, range(10**6))).__next__)
    for number in range(3 * SESSIONS):
        session = sessions.begin(f"n{number % 20}", Response())
    for _ in range(1000):
        sessions.form(session, "/x")
    assert len(session.forms) <= 200
    assert [sessions.find(f"potluck-tag={one}") is not None for one in (0, 3 * SESSIONS - 1)] == [False, True]


def test_the_printed_address_is_good_once(home):
    first = Visitor(home)
    answer = first.post("/enter/now", {"token": TOKEN})
    assert answer.status_code == 303
    second = first.post("/enter/now", {"token": TOKEN})
    assert second.status_code == 409
    assert "set-cookie" not in second.headers
    assert [(one.event, one.outcome) for one in read(home / "access.jsonl").entries] == [
        ("sign-in", "done"),
        ("sign-in", "refused"),
    ]


def test_looking_at_the_printed_address_uses_nothing_up(home):
    visitor = Visitor(home)
    for _ in range(3):
        page = visitor.get(f"/enter?token={TOKEN}")
        assert page.status_code == 200
        assert "set-cookie" not in page.headers
    assert visitor.post("/enter/now", {"token": TOKEN}).status_code == 303


def test_another_token_opens_nothing(home):
    visitor = Visitor(home)
    for token in ("", "0" * 64, TOKEN[:-1], TOKEN.upper(), TOKEN + "f", "\x00"):
        assert visitor.post("/enter/now", {"token": token}).status_code == 409
    assert visitor.post("/enter/now", {"token": TOKEN}).status_code == 303  # and uses nothing up


def test_a_field_twice_is_no_form_even_if_both_are_right(home):
    visitor = Visitor(home)
    twice = f"token={TOKEN}&token={TOKEN}"
    said = {"Origin": visitor.origin.text, "Content-Type": "application/x-www-form-urlencoded"}
    assert visitor.client.post("/enter/now", content=twice, headers=said).status_code == 400


def test_the_printed_address_grows_old(home):
    visitor = Visitor(home)
    visitor.clock.now += LIFE + 1
    assert visitor.post("/enter/now", {"token": TOKEN}).status_code == 409
