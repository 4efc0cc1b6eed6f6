"""What is refused at the coordinator's pages: plans, forms, names and files that are not what they say."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.requests import Request

from potluck.console import shell
from potluck.console.server import rehearsal
from potluck.console.server.drafts import ALL, EACH, TEXT, UPLOAD, drafts
from potluck.console.server.results import left
from potluck.console.sessions import IDLE
from potluck.core.errors import Refused
from potluck.members.persons import Persons
from support.console import office as offices
from support.console.home import words
from support.console.office import live
from support.examples import fewer

MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def send(visitor, text=None, files=(), **headers):
    form = visitor.form("/new", "/plans")
    return visitor.upload("/plans", {"form": form, "text": offices.text() if text is None else text}, files, **headers)


@pytest.fixture
def place(ann, quick):
    """Where a plan of ann's is shown that could start."""
    return send(ann).headers["location"]


def start(visitor, place, form=""):
    return visitor.post(f"{place}/start", {"form": form or visitor.form(place, f"{place}/start")})


# -- who asks


def test_without_a_session_nothing_is_read_or_done(desk, federation):
    visitor = desk.visitor()
    run = "a" * 32
    desk.office.runs.append(live(run))
    for path in ("/", "/new", "/sites", "/log", f"/runs/{run}", f"/runs/{run}/news", f"/runs/{run}/report",
                 f"/runs/{run}/keep/model.json", f"/plans/{run}"):  # fmt: skip
        answer = visitor.get(path)
        assert (answer.status_code, answer.headers["location"].partition("?")[0], answer.text) == (303, "/sign-in", "")
    assert visitor.upload("/plans", {"form": "0" * 64, "text": offices.text()}).status_code == 401
    assert visitor.post(f"/runs/{run}/cancel", {"form": "0" * 64, "reason": "x"}).status_code == 401
    assert visitor.post(f"/plans/{run}/start", {"form": "0" * 64}).status_code == 401
    assert desk.office.runs[0].state == "waiting"


def test_a_file_of_who_is_not_signed_in_is_not_read(desk, monkeypatch):
    read = []
    monkeypatch.setattr(shell, "_uploaded", lambda *_: read.append(1))
    assert desk.visitor().upload("/plans", {"form": "x"}, [("file", "p.toml", b"x" * 10**6)]).status_code == 401
    assert read == []


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": None}]
)
def test_another_page_can_send_no_plan_and_start_and_cancel_nothing(desk, ann, place, headers):
    run = desk.office.submit(offices.plan(), "bob")
    assert send(ann, **headers).status_code == 403
    said = {name.replace("-", "_"): value for name, value in headers.items()}
    forms = [(f"{place}/start", place, {}), (f"/runs/{run}/cancel", f"/runs/{run}", {"reason": "x"})]
    for action, page, more in forms:
        assert ann.post(action, {"form": ann.form(page, action), **more}, **said).status_code == 403
    assert [one.state for one in desk.office.runs] == ["waiting"]
    assert start(ann, place).status_code == 303  # the control


def test_a_form_is_of_one_action_one_run_and_one_session(desk, ann, place):
    runs = [desk.office.submit(offices.plan(), "bob") for _ in range(2)]
    cancels = [ann.form(f"/runs/{run}", f"/runs/{run}/cancel") for run in runs]
    for ident in ("", "0" * 64, cancels[1], ann.form(place, "/sign-out")):
        assert ann.post(f"/runs/{runs[0]}/cancel", {"form": ident, "reason": "x"}).status_code == 409
        assert start(ann, place, ident or "x").status_code == 409
    assert {one.state for one in desk.office.runs} == {"waiting"}


# -- what is started


def test_two_starts_of_one_plan_start_it_once(desk, ann, place):
    forms = [ann.form(place, f"{place}/start") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        codes = [one.status_code for one in pool.map(lambda form: start(ann, place, form), [*forms[:3], forms[0]])]
    assert sorted(codes) == [303, 409, 409, 409]
    assert len(desk.office.runs) == 1


def test_what_changed_since_it_was_shown_is_not_started(desk, ann, place):
    form = ann.form(place, f"{place}/start")
    file = desk.folder / "federation.toml"
    text = file.read_text()
    file.write_text(text + "\n# another\n")
    answer = start(ann, place, form)
    assert answer.status_code == 409
    assert "has changed since" in words(answer.text)
    file.write_text(text)
    assert desk.office.runs == []
    assert start(ann, place).status_code == 303  # the control


def test_another_plan_than_was_shown_is_not_started(desk, ann, place):
    """Whoever can write the drafts' folder could do worse; all the same."""
    (path,) = desk.folder.glob("drafts/*/plan.toml")
    form = ann.form(place, f"{place}/start")
    path.write_text(offices.text(purpose="another"))
    answer = start(ann, place, form)
    assert "another plan than the page showed" in words(answer.text)
    assert desk.office.runs == []


def test_one_persons_slow_files_keep_nobody_else_waiting():
    async def body():
        return {"type": "http.request", "body": b"--XX--\r\n", "more_body": False}

    def read(whose, reading):
        head = [(b"content-type", b"multipart/form-data; boundary=XX")]
        request = Request({"type": "http", "method": "POST", "headers": head}, body)
        return asyncio.run(shell._uploaded(request, reading, whose))

    reading = shell._Reading({"ann": shell.EACH})
    with pytest.raises(shell.Busy):
        read("ann", reading)
    assert read("bob", reading) == ({}, [])
    assert reading == {"ann": shell.EACH}
    with pytest.raises(shell.Busy):
        read("bob", shell._Reading({"ann": shell.AT_ONCE}))


@pytest.mark.usefixtures("cheap")
def test_who_comes_after_has_not_the_plans_of_another_of_the_same_name(desk, quick):
    known = Persons(desk.folder / "persons.json")

    def join():
        token = known.invite("zoe", time.time())
        made = known.choose(token, time.time(), password="correct horse battery")
        visitor = desk.visitor()
        visitor.post("/sign-in/password", {"name": made.name, "password": "correct horse battery"})
        return visitor

    place = send(first := join()).headers["location"]
    assert first.get(place).status_code == 200
    known.remove("zoe")
    assert join().get(place).status_code == 404


def test_a_plan_of_another_person_is_not_there(tmp_path):
    with drafts(tmp_path) as kept:
        draft = kept.add("ann", offices.text(), ())
        assert kept.of(draft.name, "ann") is draft
        assert kept.of(draft.name, "bob") is None
        assert draft.folder.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == []


# -- what is sent


def test_an_upload_is_read_up_to_its_bound(ann, quick):
    answer = send(ann, "", [("file", "p.toml", b" " * (UPLOAD + 1))])
    assert answer.status_code == 413
    assert "At most 32 MB" in words(answer.text)
    assert "has at most 256 KB" in words(send(ann, "", [("file", "p.toml", b"#" * (TEXT + 1))]).text)
    assert send(ann, "", [("file", "p.toml", offices.text().encode())]).status_code == 303  # the control


def test_what_is_no_form_with_files_is_refused(ann, quick):
    kind = "multipart/form-data; boundary=b"
    said = {"Origin": ann.origin.text, "Content-Type": kind}
    part = b'--b\r\nContent-Disposition: form-data; name="form"\r\n\r\nx\r\n'
    bodies = [
        b"", b"--b", b"nonsense", part, part + part + b"--b--\r\n", part.replace(b"form-data", b"x") + b"--b--\r\n",
        b"--b\r\n" + b"A: b\r\n" * 5000,
        b'--b\r\nContent-Disposition: form-data; name="form"; filename="' + b"x" * 10**5,
    ]  # fmt: skip
    codes = [ann.client.post("/plans", content=body, headers=said).status_code for body in bodies]
    assert set(codes) <= {400, 409}, codes
    bare = {**said, "Content-Type": "multipart/form-data"}
    assert ann.client.post("/plans", content=part, headers=bare).status_code in (400, 409)
    odd = {**said, "Content-Type": f"{kind}; charset=none"}
    assert ann.client.post("/plans", content=part + b"--b--\r\n", headers=odd).status_code in (400, 409)
    form = {**said, "Content-Type": "application/x-www-form-urlencoded"}
    assert ann.client.post("/plans", content="form=x", headers=form).status_code == 415
    assert send(ann, files=[("others", f"{n}.json", b"x") for n in range(9)]).status_code == 400


NAMED = ["../x", "/etc/passwd", "..", "plan.toml", "a b", "a\\b", ".x", "x" * 101, "é", "a/b"]


@pytest.mark.parametrize("name", fewer(NAMED, "../x", "..", "plan.toml", "x" * 101))
def test_a_file_with_another_name_than_a_plain_one_is_not_kept(desk, ann, quick, name):
    answer = send(ann, files=[("others", name, b"x")])
    assert answer.status_code == 400
    assert not [path for path in desk.folder.rglob("*") if path.is_file() and path.read_bytes() == b"x"]
    assert send(ann, files=[("others", "net.graph", b"x")]).status_code == 303  # the control


PATHS = ["/etc/passwd", "../../keys/signing.key", "a/b", "..", ".", "", "plan.toml", "a\\b"]


@pytest.mark.parametrize("path", fewer(PATHS, "/etc/passwd", "a/b", ""))
@pytest.mark.parametrize("key", ["start", "graph", "file"])
def test_a_plan_reads_no_file_of_the_coordinator(ann, quick, key, path):
    text = offices.text(model={"kind": "logistic", key: path})
    page = words(ann.get(send(ann, text).headers["location"]).text)
    assert f"model.{key}: here a file is named without a folder" in page


def test_rows_that_a_plan_names_are_not_looked_at(desk, ann, quick, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("x,z,y\n1,1,1\n")
    plan = offices.plan().set("data.files", {name: str(rows) for name in "abcd"})
    place = send(ann, offices.text(data=plan.tables["data"])).headers["location"]
    text = words(ann.get(place).text)
    assert "Who could see what" in text
    assert "rows.csv" not in text
    assert start(ann, place).status_code == 303
    assert desk.office.runs[0].hash == offices.plan().hash


def test_words_of_a_plan_are_text(ann, quick):
    place = send(ann, offices.text(purpose=MARKUP, name="<b>")).headers["location"]
    page = ann.get(place).text
    assert MARKUP not in page
    assert MARKUP in words(page)
    assert "<b></bdi>" not in page


def test_drafts_cannot_fill_the_disk(tmp_path):
    with drafts(tmp_path) as kept:
        made = [kept.add("ann", offices.text(), ()) for _ in range(EACH + 2)]
        assert [kept.of(one.name, "ann") is one for one in made] == [False, False, *[True] * EACH]
        others = [kept.add(f"p{number}", offices.text(), ()) for number in range(ALL)]
        assert kept.of(others[0].name, "p0") is others[0]
        assert len(list(tmp_path.glob("drafts/*"))) == ALL


def test_a_plan_that_breaks_who_reads_it_breaks_nothing_else(ann, desk):
    """In a process of its own, as it is."""
    place = send(ann, "a = " + "[" * 10**5).headers["location"]
    assert "What is wrong:" in words(ann.get(place).text)


def test_a_plan_that_takes_too_long_is_given_up(ann, monkeypatch):
    monkeypatch.setattr(rehearsal, "SECONDS", 0.05)
    answer = send(ann)
    assert answer.status_code == 409
    assert "to check" in words(answer.text)


@pytest.mark.slow
def test_a_plan_that_takes_too_much_is_given_up(tmp_path, monkeypatch):
    (tmp_path / "plan.toml").write_text(offices.text())
    code = "import potluck.console.server.rehearsal as r, sys; r.MEMORY = 1 << 20; r.main(sys.argv[1:])"
    monkeypatch.setattr(rehearsal, "command", lambda folder: [rehearsal.sys.executable, "-c", code, str(folder)])
    with pytest.raises(Refused, match="more time or memory"):
        rehearsal.rehearse(tmp_path)


def test_no_more_plans_are_checked_at_once_than_let(ann, monkeypatch):
    monkeypatch.setattr(rehearsal, "PATIENCE", 0.0)
    for _ in range(rehearsal.AT_ONCE):
        rehearsal._slots.acquire()
    try:
        assert send(ann).status_code == 429
    finally:
        rehearsal._slots.release(rehearsal.AT_ONCE)


# -- which run


NAMES = ["%2e%2e", "..%2f..%2fkeys", "b" * 32, "a" * 31, "a" * 33, "A" * 32, "journal.sqlite", "a" * 1000]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_no_run_of_this_federation_leads_nowhere(desk, ann, name, tmp_path):
    run, out = "a" * 32, tmp_path / "out"
    out.mkdir()
    (out / "model.json").write_text("{}")
    desk.office.runs.append(live(run, state="finished", out=out))
    other = desk.folder / "runs" / ("b" * 32)  # a folder of that name alone makes no run
    other.mkdir(parents=True)
    (other / "model.json").write_text("{}")
    for page in ("", "/news", "/report", "/keep/model.json"):
        assert ann.get(f"/runs/{name}{page}").status_code in (404, 303)
    assert ann.post(f"/runs/{name}/cancel", {"form": "0" * 64, "reason": "x"}).status_code in (404, 409)
    assert ann.get(f"/runs/{run}/keep/model.json").status_code == 200  # the control


@pytest.mark.parametrize("file", ["journal.sqlite", "details.json", "%2e%2e%2fx", "model.json/", "MODEL.JSON"])
def test_no_other_file_of_a_run_is_handed_out(desk, ann, tmp_path, file):
    run = "a" * 32
    for name in ("journal.sqlite", "details.json", "model.json"):
        (tmp_path / name).write_text("{}")
    desk.office.runs.append(live(run, state="finished", out=tmp_path))
    assert ann.get(f"/runs/{run}/keep/{file}").status_code in (404, 307)


@pytest.mark.parametrize("name", ["report.html", "model.json"])
def test_no_link_leads_out_of_a_runs_folder(desk, ann, tmp_path, name):
    run, out = "a" * 32, tmp_path / "out"
    out.mkdir()
    (tmp_path / "secret").write_text("root:")
    desk.office.runs.append(live(run, state="finished", out=out))
    pages = [f"/runs/{run}/keep/{name}"] + [f"/runs/{run}/report"] * (name == "report.html")
    (out / name).write_text("mine")
    assert [ann.get(page).text for page in pages] == ["mine"] * len(pages)  # the control
    (out / name).unlink()
    (out / name).symlink_to(tmp_path / "secret")
    assert [ann.get(page).status_code for page in pages] == [404] * len(pages)
    assert f"/keep/{name}" not in ann.get(f"/runs/{run}").text


@pytest.mark.parametrize("name", ["run.json", "details.json"])
def test_facts_of_a_run_come_from_no_file_elsewhere(tmp_path, name):
    run, out = live("a" * 32, state="finished", out=tmp_path / "out"), tmp_path / "out"
    out.mkdir()
    (out / "run.json").write_text('{"plan": {"name": "theirs"}}')
    (out / "details.json").write_text('{"version": 3}')
    assert left(run).sentences  # the control
    (out / name).rename(tmp_path / name)
    (out / name).symlink_to(tmp_path / name)
    assert left(run).sentences == ()


def test_a_report_comes_under_a_policy_that_lets_it_do_nothing(desk, ann, tmp_path):
    (tmp_path / "report.html").write_text(f"<h1>report</h1>{MARKUP}")
    run = "a" * 32
    desk.office.runs.append(live(run, state="finished", out=tmp_path))
    head = ann.get(f"/runs/{run}/report").headers
    policy = head["content-security-policy"].split("; ")
    assert {"sandbox", "default-src 'none'", "frame-ancestors 'none'"} <= set(policy)
    assert not [one for one in policy if "script" in one or "connect" in one]
    assert head["x-frame-options"] == "DENY"
    kept = ann.get(f"/runs/{run}/keep/report.html").headers
    assert kept["content-disposition"].startswith("attachment")
    usual = ann.get(f"/runs/{run}").headers["content-security-policy"]
    assert "unsafe-inline" not in usual
    assert "connect-src 'self'" in usual
    assert "connect-src" not in ann.get("/").headers["content-security-policy"]


def test_a_page_that_follows_a_run_keeps_nobody_signed_in(desk, ann):
    run = "a" * 32
    desk.office.runs.append(live(run, state="finished"))
    for _ in range(3):
        desk.clock.now += IDLE / 2.5
        ann.get(f"/runs/{run}/news")
    assert ann.get(f"/runs/{run}/news").headers["location"] == "/sign-in"
