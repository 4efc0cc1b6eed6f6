"""The policies on the pages of intersections and predictions are read, and allow what the page is about."""

from datetime import datetime

import msgspec
import pytest

from potluck.api.plan.plan import Plan
from potluck.owner.judge import Year, judge
from potluck.owner.reading import parse
from support.docs.pages import DOCS, ROOT, fences

PREDICT = """
version = 1
name = "visitors"
purpose = "scores"
[model]
digest = "sha256:{digest}"
[predict]
owner = "hospital"
client = "clinic"
mode = "batch"
[protect]
with = "share"
[privacy]
noise = "none"
"""


def policy(page):
    ((text,),) = [[body for kind, name, body in fences(DOCS / "concepts" / page) if name == "policy.toml"]]
    return parse(text, page)


def denied(rules, plan, asker, owner):
    when = datetime(2026, 11, 26, 12)
    found = judge(rules, plan, asker=frozenset({asker}), now=when, year=Year(), promised=None, owner=owner)
    return [one.code for one in found]


@pytest.fixture
def clinics():
    return Plan.read(ROOT / "examples" / "intersect_clinics.toml").spec


@pytest.fixture
def visitors(tmp_path):
    head = 'task = "predict"\n[federation]\nsites = ["hospital", "clinic"]\nserver = "curious"\n'
    text = PREDICT.format(digest="0" * 64).replace("[model]", head + "[model]")
    (tmp_path / "plan.toml").write_text(text)
    return Plan.read(tmp_path / "plan.toml").spec


def test_the_laboratorys_policy_allows_the_example_and_no_other_reader(clinics):
    rules = policy("intersection.md")
    assert denied(rules, clinics, "clinics", "laboratory") == []
    align = msgspec.structs.replace(clinics.align, to=("pharmacy",))
    assert denied(rules, msgspec.structs.replace(clinics, align=align), "clinics", "laboratory") == ["readers"]


def test_the_hospitals_policy_lets_the_clinic_ask_under_share_alone(visitors):
    rules = policy("prediction.md")
    assert denied(rules, visitors, "hospitals", "hospital") == []
    he = msgspec.structs.replace(visitors.protect, scheme="he")
    assert "protect" in denied(rules, msgspec.structs.replace(visitors, protect=he), "hospitals", "hospital")
