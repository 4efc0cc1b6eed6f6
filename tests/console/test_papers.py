"""A request's papers on its page: written by a form, taken along as files, and nothing else of the home."""

import hashlib
import re
import time
from contextlib import closing

import pytest

from potluck.api.network import papers
from potluck.api.network.inbox import decide
from potluck.api.network.ledger import anchor
from potluck.core.rounds import Record
from potluck.members.home import SiteHome
from potluck.owner.access import read
from potluck.owner.budget import Budget
from potluck.owner.requests import Requests
from potluck.parties.admission.over import MODEL
from potluck.report.papers.annex import HTML, JSON, SEAL
from potluck.tasks import released
from support.console.home import Visitor, words
from support.examples import fewer


@pytest.fixture
def place(ann, plan):
    """Where the papers are, once the form was sent."""
    where = f"/requests/{plan}/papers"
    assert f'href="{where}?run=r1"' in ann.get(f"/requests/{plan}").text
    assert "No papers of this run" in words(ann.get(where).text)
    form = {"form": ann.form(where, f"{where}/write")}
    assert ann.post(f"{where}/write", form).headers["location"] == where
    return where


def test_papers_are_written_by_whoever_asks_and_taken_along_as_they_are(home, ann, place, tmp_path):
    last = read(home / "access.jsonl").entries[-1]
    assert (last.event, last.person, last.run) == ("papers", "ann", "r1")
    page = ann.get(place).text
    for file in re.findall(r'href="(/papers/r1\?file=[a-z.]+)" download', page):
        answer = ann.get(file)
        name = file.partition("=")[2]
        assert answer.headers["content-disposition"] == f'attachment; filename="r1-{name}"'
        (tmp_path / name).write_bytes(answer.content)
    assert {one.name for one in tmp_path.iterdir()} >= {HTML, JSON, SEAL, papers.CHARTER}
    assert papers.verify(tmp_path / papers.CHARTER, tmp_path, "r1", 0.0).site == "a"
    for name in (JSON, HTML, SEAL):  # as the browser calls them
        (tmp_path / name).rename(tmp_path / f"r1-{name}")
    assert papers.verify(tmp_path / papers.CHARTER, tmp_path / f"r1-{JSON}", "r1", 0.0).page


@pytest.mark.parametrize(
    "address",
    fewer(["r1?file=model.json", "r1?file=../../policy.toml", "r1?file=", "r1", "%2e%2e%2fr1?file=annex.json",
           "r2?file=annex.json"], "r1?file=../../policy.toml", "%2e%2e%2fr1?file=annex.json"),
)  # fmt: skip
def test_no_other_file_of_the_home_is_handed_out(ann, place, address):
    assert ann.get("/papers/r1?file=annex.json").status_code == 200  # the control
    assert ann.get(f"/papers/{address}").status_code in (303, 404)


def test_a_finished_run_says_what_came_of_it_and_whether_the_model_is_the_one_that_was_named(home, ann, plan):
    """What lies in the home is as a site leaves it (tests/parties/runners/test_across.py)."""
    at, place = SiteHome.at(home), home / "own" / "r1"
    place.mkdir(parents=True)
    (place / released.MODEL).write_bytes(b"model")
    (place / released.METRICS).write_text('{"digest": "", "metrics": {"auc": 0.878, "auc_population": [0.81, 0.94]}}')
    where = f"/requests/{plan}/papers?run=r1"
    assert "What came of it" not in ann.get(where).text  # it is not over
    decide(home, "approve", plan, "ann")
    with closing(Requests(at.requests)) as book:
        book.finish("r1")
    with Budget(at.ledger, anchor=anchor(at, at.open(time.time()))) as ledger:
        ledger.write(Record(f"{MODEL}r1", hashlib.sha256(b"model").digest()))
    page = words(ann.get(where).text)
    assert "AUC 0.878 0.810 to 0.940" in page
    assert "it is the one whose digest the coordinator named" in page
    (place / released.MODEL).write_bytes(b"another")
    assert "Another model: what was evaluated here is not what" in words(ann.get(where).text)
    (place / released.METRICS).write_text('{"digest": "<script>", "metrics": {"auc": "<script>"}}')
    (place / released.MODEL).unlink()
    page = ann.get(where).text
    assert "<script>" not in page
    assert "not kept: the coordinator has it" in words(page)


def test_no_link_leads_out_of_the_papers(home, ann, place):
    path = home / "own" / "r1" / JSON
    path.unlink()
    path.symlink_to(home / "policy.toml")
    assert ann.get("/papers/r1?file=annex.json").status_code == 404


def test_nothing_is_written_or_handed_out_without_form_or_person(home, ann, plan, place):
    stranger = Visitor(home)
    assert stranger.get("/papers/r1?file=annex.json").status_code == 303
    assert ann.post(f"{place}/write", {"form": "0" * 32}).status_code == 409
    assert ann.get(f"{place}/write").status_code == 405
    assert ann.get(f"/requests/{'0' * 64}/papers").status_code == 400
    assert [one.event for one in read(home / "access.jsonl").entries].count("papers") == 1
