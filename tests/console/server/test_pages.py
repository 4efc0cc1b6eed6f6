"""What the coordinator's pages say, and what a press of a button does."""

import time

import pytest

from potluck.api.network.status import Heard
from potluck.console.server import rehearsal
from potluck.console.server import words as server_words
from potluck.console.server.words import CODES
from potluck.core.plan import CODE
from potluck.learning.evaluation.validation import Look
from potluck.owner.access import read
from support.console import office as offices
from support.console.home import words
from support.console.office import Event, live
from support.console.policy import typed
from support.docs.pages import DOCS, rows, ticks


def send(visitor, text, files=(), form=""):
    """A plan is sent; gives the answer."""
    form = form or visitor.form("/new", "/plans")
    return visitor.upload("/plans", {"form": form, "text": text}, files)


def sent(visitor, text, files=()):
    """The address of a plan that was sent."""
    answer = send(visitor, text, files)
    assert answer.status_code == 303, words(answer.text)
    return answer.headers["location"]


def test_without_a_run_the_list_leads_to_a_first_one(ann):
    text = words(ann.get("/").text)
    assert "No run has begun yet" in text
    assert "signed in as ann" in text


def test_a_hundred_runs_are_listed_by_pages_and_found(desk, ann):
    for number in range(120):
        state = ("finished", "open", "failed")[number % 3]
        desk.office.runs.append(
            live(f"{number:032x}", f"plan-{number}", state=state, began=-number, person="bob" if number == 7 else "ann")
        )
    text = words(ann.get("/").text)
    assert "120 runs, newest first: page 1 of 3" in text
    assert "plan-49 " in text
    assert "plan-50 " not in text
    assert "plan-50 " in words(ann.get("/?page=2").text)
    assert "40 runs" in words(ann.get("/?kind=going").text)
    assert "One run" in words(ann.get("/?about=bob").text)
    assert [ann.get(f"/?{asked}").status_code for asked in ("page=4", "page=0", "page=x", "kind=x")] == [400] * 4


def test_a_run_says_who_refused_and_why_in_words(desk, ann):
    run = "a" * 32
    heard = (
        Heard("a", "granted", (), 2.0, 0.5, 0, None),
        Heard("b", "denied", ("epsilon_per_year",), 3.0, None, 0, None),
        Heard("c", "pending", (), 3.0, None, 0, None),
    )
    why = "Refused: scene: b refuses this plan. hint: ask the owner: potluck site inbox; then start again"
    desk.office.runs.append(live(run, state="failed", sites=heard, why=why, ended=time.time()))
    desk.office.said[run] = [Event(1, "2026-12-01T10:00:00.000+00:00", "answer", "b: denied epsilon_per_year")]
    text = words(ann.get(f"/runs/{run}").text)
    assert "refused" in text
    assert "its budget of epsilon for the year does not reach" in text
    assert "Why it ended: B refuses this plan. What each site said" in text
    assert "potluck site" not in text
    assert "not all who decide there had" in text
    assert "nobody there need decide" in text
    assert "the plan sent again under New run is this run" in text
    assert "Cancel" not in text
    assert " b: refused (its budget of epsilon for the year does not reach)" in text


@pytest.mark.parametrize(
    ("facts", "said", "unsaid"),
    [
        ({"ending": True, "why": "cancelled by bob; no more"}, "Is being cancelled: 0 of 3", "End it"),
        ({"ending": True, "why": "cancelled by bob; no more"}, "Cancelled by bob : No more.", "Why it ended"),
        (
            {"first": 160.0, "state": "finished", "ended": 161.0},
            "since its first round; before, it waited 1 min",
            "",
        ),
        ({"state": "failed", "ended": 130.0, "why": "Refused: no"}, "30.0 s, without a round", ""),
    ],
)
def test_how_a_run_ends_and_what_it_took_are_said_once(desk, ann, facts, said, unsaid):
    desk.office.runs.append(live("b" * 32, began=100.0, **facts))
    page = ann.get(f"/runs/{'b' * 32}").text
    text = words(page)
    assert said in text
    assert not unsaid or unsaid not in text
    assert "ending" not in facts or f"/runs/{'b' * 32}/cancel" not in page


def test_a_persons_no_invites_nobody_to_wait(desk, ann):
    run, heard = "c" * 32, (Heard("b", "denied", ("denied",), 3.0, None, 0, None),)
    desk.office.runs.append(live(run, state="failed", sites=heard, why="Refused: b refuses", ended=time.time()))
    text = words(ann.get(f"/runs/{run}").text)
    assert "every later one of this plan until that person takes it back: ask there. Then give this run up" in text
    assert "refused: a person there said no" in text
    assert "denied" not in text


def test_metrics_of_looks_are_drawn(desk, ann):
    run = "a" * 32
    desk.office.runs.append(live(run, state="open"))
    assert "<figure" not in ann.get(f"/runs/{run}").text
    desk.office.looks[run] = [Look(round, 0.7 - round / 20, 0.5 + round / 20) for round in (1, 2, 3)]
    text = ann.get(f"/runs/{run}").text
    assert text.count("<figure") == 2
    assert "AUC on validation rows" in text


def test_a_plan_is_shown_before_it_is_started_and_then_it_runs_once(desk, ann, quick):
    place = sent(ann, offices.text())
    text = words(ann.get(place).text)
    assert "Who could see what" in text
    assert "3 rounds" in text
    assert "not seen" in text  # c and d are not connected
    assert desk.office.runs == []
    form = ann.form(place, f"{place}/start")
    answer = ann.post(f"{place}/start", {"form": form})
    (run,) = desk.office.runs
    assert answer.headers["location"] == f"/runs/{run.run}"
    assert (run.plan, run.person) == ("p", "ann")
    assert "It was started" in words(ann.get(place).text)
    found = [(one.event, one.person, one.run) for one in read(desk.folder / "access.jsonl").entries]
    assert found[-1] == ("submit", "ann", run.run)


def test_what_several_see_together_is_shown(ann, quick):
    place = sent(ann, offices.text())
    alone = words(ann.get(place).text)
    both = words(ann.get(f"{place}?p0=1&p2=1").text)
    assert "Together," not in alone
    assert "Together, server and a would see" in both


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (offices.text(privacy={"noise": "shared", "epsilon": -1.0}), "epsilon"),
        (offices.text(task="trian"), "train"),
        ("not toml", "not TOML: `not toml`."),
        ("version = 1\nepsilon = 1,0", "A number has a point, and no comma: type 1.0"),
    ],
)
def test_a_wrong_plan_is_shown_with_its_key_and_what_to_do(desk, ann, quick, text, said):
    place = sent(ann, text)
    page = ann.get(place).text
    assert said in words(page)
    assert "What to do:" in words(page)
    assert f"{place}/start" not in page


WRONG = """version = 1
name = "p"
purpose = "<b>x</b>"
task = "train"
federation = { sites = ["a", "b", "c"] }
data.columns.age = { kind = "number", low = 0, high = "ninety" }
model.kind = "logistic"

[training]
method = "gradiant"

[protect]
with = "mask"

[privacy]
noise = "shared"
epslion = 1.0
"""


def test_all_mistakes_of_a_plan_are_told_at_once_with_lines_and_its_text_is_kept(ann, quick):
    place = sent(ann, WRONG, [("others", "net.graph", b"x")])
    text = words(ann.get(place).text)
    assert 'Line 6: data.columns.age.high does not fit: "ninety" stands there.' in text
    assert "Line 10: training.method does not know 'gradiant'." in text
    assert "Line 17: unknown key privacy.epslion." in text
    again = f"/new?again={place.rpartition('/')[2]}"
    assert again in ann.get(place).text
    page = ann.get(again).text
    assert typed(page, action="/plans")["text"].split() == WRONG.split()
    assert "Kept from before" in words(page)
    fields = typed(page, {"text": offices.text(model={"kind": "logistic", "start": "net.graph"})}, action="/plans")
    mended = ann.upload("/plans", fields).headers["location"]
    assert "net.graph (is here)" in words(ann.get(mended).text)
    fields = typed(ann.get(again).text, action="/plans")  # a file takes the place of the text that stood there
    other = ann.upload("/plans", fields, [("file", "p.toml", offices.text().encode())]).headers["location"]
    assert "Who could see what" in words(ann.get(other).text)


@pytest.mark.parametrize("text", [offices.text(), "  "])
def test_a_plan_that_is_not_checked_stands_in_its_box_still(ann, monkeypatch, text):
    """Also where the check gives up: such a plan cannot start."""
    monkeypatch.setattr(rehearsal, "SECONDS", 0.01)
    answer = send(ann, text, [("file", "p.toml", b"#")] * (not text.strip()))
    assert answer.status_code == 409
    fields = typed(answer.text, action="/plans")
    assert fields["text"].split() == (text if text.strip() else "#").split()
    page = ann.get(f"/plans/{fields['again']}").text
    assert "/start" not in page
    assert "What is wrong:" in words(page)


def test_a_plan_without_a_permit_says_so_before_it_starts(ann, quick):
    permit = {"number": "2026/7", "controller": "University Hospital", "contact": "dpo@hospital.example"}
    with_one = words(ann.get(sent(ann, offices.text(permit=permit))).text)
    assert "2026/7" in with_one
    assert "names no permit" not in with_one
    without = words(ann.get(sent(ann, offices.text())).text)
    assert without.index("names no permit") < without.index("Start the run")


def test_a_plan_of_strangers_cannot_start_and_says_so(ann, quick):
    place = sent(ann, offices.text(federation={"sites": ["a", "b", "eve"], "corrupt": 1, "dropouts": 0}))
    text = ann.get(place).text
    assert "it must join the federation first" in words(text)
    assert "/start" not in text


def test_a_run_is_cancelled_with_a_reason_and_the_log_says_who(desk, ann):
    run = desk.office.submit(offices.plan(), "bob")
    page = f"/runs/{run}"
    assert ann.post(f"{page}/cancel", {"form": ann.form(page, f"{page}/cancel"), "reason": " "}).status_code == 400
    form = ann.form(page, f"{page}/cancel")
    assert ann.post(f"{page}/cancel", {"form": form, "reason": "the wrong columns"}).status_code == 303
    text = words(ann.get(page).text)
    assert "Cancelled by ann : The wrong columns." in text
    entry = read(desk.folder / "access.jsonl").entries[-1]
    assert (entry.event, entry.person, entry.reason, entry.run) == ("cancel", "ann", "the wrong columns", run)
    assert run in ann.get("/log").text


def test_members_are_shown_with_what_the_broker_and_runs_say(desk, ann):
    programs = {"a": CODE, "b": "0.0.1", "c": "", "d": ""}
    heard = tuple(Heard(name, "granted", (), 70.0, None, 0, None, said) for name, said in programs.items())
    desk.office.runs.append(live("a" * 32, sites=heard))
    text = words(ann.get("/sites").text)
    assert "2 of 4" in text
    assert "a Klinik <b>, DE site" in text  # its card's words
    assert "1 minute ago" in text
    assert "proves nothing" in text
    assert text.count("another than here") == 1
    assert "0.0.1 another than here" in text


def test_every_code_of_a_site_is_said_in_words():
    said = {code for row in rows(DOCS / "reference" / "exit-codes.md") if len(row) == 3 for code in ticks(row[0])}
    assert len(said) > 20
    assert said <= CODES.keys()


def test_a_stopped_run_that_is_given_up_is_not_said_to_be_refused_by_that():
    assert server_words.cancelled("Refused: a said no. hint: then start again") == ("It is being given up", "")
    assert server_words.cancelled("cancelled by root; no money") == ("Cancelled by root", "no money")  # the control
