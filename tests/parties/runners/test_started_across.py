"""Plans that go on from an earlier model, across machines: sites are sent its weights, and take them by its digest."""

import numpy as np
import pytest

import potluck
from potluck.api.network import inbox
from potluck.api.network.preview import preview
from potluck.core.errors import GraphError, Refused
from potluck.learning.models.sent import letter_of
from potluck.parties.admission import graphs
from support.hostile.proposals import by_person
from support.parties import across, scene
from support.parties.across import quick


def plan(earlier):
    return scene.plan().set("model.start", str(earlier))


def asked_for(fed):
    return [name for name in "abcd" if (fed.folder / name / "graphs").exists()]


@pytest.mark.slow
def test_the_model_is_that_of_a_run_in_one_process(fed, earlier):
    with fed.attending(*"abcd"):
        outcome, _ = fed.run(quick(plan(earlier)))
    assert outcome.model.digest() == scene.Scene(plan(earlier)).run().model.digest()
    assert asked_for(fed) == list("abcd")
    with fed.attending(*"abcd"):  # they lie there
        fed.run(quick(plan(earlier)), "cd" * 16)


def test_an_owner_sees_which_model_and_what_would_leave_at_it(fed, earlier):
    by_person(fed, "a")
    with fed.attending(*"abcd"), pytest.raises(Refused):
        across.until(fed, quick(plan(earlier)), "pending")
    (asked,) = inbox.inbox(fed.folder / "a")
    assert f"It begins with the weights of model {potluck.Model.read(earlier).digest()}." in asked.learnt
    found = preview(fed.folder / "a", asked.request.hash)
    model = potluck.Model.read(earlier)
    _, tables = scene.tables(plan(earlier), scene.frames())
    table = next(one for site, one in tables.items() if site.name == "a")
    x, y = table.features[table.train], table.target[table.train]
    error = 1 / (1 + np.exp(-model.margins(x)[:, 0])) - y
    np.testing.assert_allclose(found.values["gradient"], [error.sum(), *(error @ x)], atol=1e-5)


@pytest.mark.parametrize(
    "forged",
    [
        lambda body: body[:-8],
        lambda body: body + bytes(8),
        lambda body: bytes(len(body)),
        lambda body: np.full(len(body) // 8, np.nan).tobytes(),
        lambda body: b"",
    ],
    ids=["short", "long", "zeros", "no numbers", "nothing"],
)
def test_other_weights_are_taken_for_nothing(fed, earlier, forged):
    spec = quick(plan(earlier))
    bare = potluck.core.plan.bare(spec)
    with pytest.raises(GraphError, match="other weights than the plan names"):
        graphs.received(fed.folder / "a", bare, forged(letter_of(spec)))
    assert not asked_for(fed)
    assert graphs.kept(fed.folder / "a", bare) is None
    assert letter_of(graphs.received(fed.folder / "a", bare, letter_of(spec))) == letter_of(spec)
    (path,) = (fed.folder / "a" / "graphs").iterdir()
    path.write_bytes(forged(letter_of(spec)))
    assert graphs.kept(fed.folder / "a", bare) is None
