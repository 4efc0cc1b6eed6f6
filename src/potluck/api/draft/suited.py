"""A draft with the settings that `check` would advise, so that it is advised none of them: rate, rounds and clip that
do better on made-up rows with its noise, and the part of epsilon with which its metrics say something."""

import tomllib
from dataclasses import replace

from potluck.api.draft.draft import Draft
from potluck.api.draft.page import page
from potluck.api.plan.defaults import filled
from potluck.api.plan.grammar import parse
from potluck.core.plan import Plan
from potluck.tasks.sums import forecast
from potluck.tasks.sums.usefulness.advice import EPSILON
from potluck.tasks.sums.usefulness.useful import Useful, useful


def suited(draft: Draft) -> Draft:
    """Of a plan to train. What would take a larger epsilon is left to `check` to say."""
    if draft.aim is None:
        return draft
    if draft.person is not None:
        draft = replace(draft, evaluation=forecast.enough(_plan(draft), "evaluation"))
    found = useful(_plan(draft), None)
    changes = found.changes if isinstance(found, Useful) else ()
    return replace(draft, settings={one.key: one.better for one in changes if one.key != EPSILON})


def _plan(draft: Draft) -> Plan:
    tables = tomllib.loads(page(draft))
    return filled(parse(tables, "draft"), tables)
