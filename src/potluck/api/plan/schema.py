"""The JSON Schemas of what people write: a plan, and a site's policy."""

from collections.abc import Mapping
from typing import Literal

from potluck.api.plan.defaults import USUAL, rules
from potluck.core.json_schema import JsonSchema
from potluck.core.plan import Plan, Statistic, Training
from potluck.core.traits import TRAITS
from potluck.learning.statistics.kinds import KINDS, TESTS
from potluck.owner.hours import ANY
from potluck.owner.policy import Policy
from potluck.tasks import catalog as _catalog  # noqa: F401  its rooms fill the tables of words


def schema(of: Literal["plan", "policy"]) -> Mapping[str, object]:
    """What each single key of a plan or a policy may be, and the default of each; rules between keys are not in it."""
    if of == "policy":
        return JsonSchema(alone=ANY).document(Policy)
    filled = frozenset(table for one in TRAITS.entries.values() for table in one.given)
    usual = {key for one in (*KINDS.entries.values(), *TESTS.entries.values()) for key in one.usual}
    varied = frozenset({*((Training, key) for key in USUAL), *((Statistic, key) for key in usual)})
    return {**JsonSchema(texts=("string", "number"), filled=filled, varied=varied).document(Plan), "allOf": [*rules()]}
