"""The ground on which rows are used: part of the plan, and gone after its last day."""

from datetime import UTC, date, datetime, timedelta, timezone

import msgspec
import pytest

import potluck
from potluck.core.errors import PlanError
from potluck.core.plan import Permit, Plan, canonical, digest
from potluck.tasks.catalog import check
from support.parties import scene

LAST = "2027-12-31"
HELD = Permit(number="FI-7", basis="EHDS art. 53", controller="Ward 7", expires=LAST)


def with_permit(permit: Permit) -> Plan:
    return msgspec.structs.replace(scene.plan().spec, permit=permit)


def test_a_plan_without_one_is_spelt_and_hashed_as_before_there_were_any():
    plan = scene.plan().spec
    assert b"permit" not in canonical(plan)
    assert msgspec.json.decode(canonical(plan), type=Plan) == plan


def test_every_key_is_in_the_hash():
    plan = with_permit(HELD)
    assert msgspec.json.decode(canonical(plan), type=Plan) == plan
    hashes = {digest(plan), digest(scene.plan().spec)}
    for key in Permit.__struct_fields__:
        hashes.add(digest(with_permit(msgspec.structs.replace(HELD, **{key: "2027-12-30"}))))
    assert len(hashes) == 2 + len(Permit.__struct_fields__)


@pytest.mark.parametrize(
    ("now", "over"),
    [
        (datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC), False),
        (datetime(2028, 1, 1, tzinfo=UTC), True),
        # New year in Helsinki is still the last day in UTC; in New York it is the last day when UTC has the next.
        (datetime(2028, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))), False),
        (datetime(2027, 12, 31, 20, tzinfo=timezone(timedelta(hours=-5))), True),
    ],
)
def test_the_last_day_is_that_of_utc_wherever_somebody_looks(now, over):
    assert with_permit(HELD).ended(now) is over
    assert not with_permit(Permit(number="FI-7")).ended(now)
    assert not scene.plan().spec.ended(now)


@pytest.mark.parametrize(
    ("permit", "wrong"),
    [
        (Permit(), "permit: says nothing"),
        (Permit(basis="  "), "permit.basis: is empty"),
        (Permit(number="x" * 201), "permit.number: 201 letters"),
        (Permit(basis="x" * 1001), "permit.basis: 1001 letters"),
        *(
            (Permit(expires=day), "permit.expires: is no day")
            for day in ("2027-02-29", "20271231", "2027-W01-1", "soon")
        ),
    ],
)
def test_what_says_nothing_or_no_day_is_no_permit(permit, wrong):
    (error,) = check(with_permit(permit))[0]
    assert error.startswith(wrong)


def test_a_plan_whose_permit_is_over_does_not_run_and_check_says_why():
    plan = scene.plan().set("permit", {"number": "FI-7", "expires": "2020-01-01"})
    wanted = "permit.expires: 2020-01-01 is over"
    assert potluck.check(plan).errors[0].startswith(wanted)
    with pytest.raises(PlanError, match=wanted):
        potluck.run(plan)
    assert not plan.problems()[0]  # of itself nothing is wrong with it
    assert not plan.problems(datetime(2020, 1, 1, tzinfo=UTC))[0]


def test_a_day_of_toml_is_taken_as_it_is():
    plan = potluck.Plan(**scene.plan().tables, permit={"expires": date(2027, 12, 31)})
    assert plan.spec.permit == Permit(expires=LAST)
