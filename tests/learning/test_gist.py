"""What people are told of a sum in plain words hides nothing that the exact claims say of it."""

import msgspec
import pytest

from potluck.core.party import SERVER
from potluck.core.views import Form
from potluck.learning import gist
from potluck.tasks.catalog import task_of, views
from support.parties import scene

REVEAL = scene.SHARED | {"noise": "reveal"}


@pytest.mark.parametrize(
    ("scheme", "privacy"),
    [("mask", scene.SHARED), ("mask", scene.NONE), ("mask", REVEAL), ("clear", scene.NONE), ("clear", REVEAL)],
)
def test_the_gist_says_of_noise_and_of_one_sites_sums_what_the_claims_say(scheme, privacy):
    server = "curious" if privacy is REVEAL else "lying"
    plan = scene.plan(word=scheme, privacy=privacy, server=server)
    plan.require()
    said = task_of(plan.spec).gist(plan.spec)
    at_server = {view.of: view.form for view in views(plan.spec) if view.party == SERVER}
    assert ("blurred by noise" in said) == (at_server["the sum"] is Form.NOISED)
    assert ("exactly" in said) == (at_server["the sum"] is Form.SUM)
    assert ("of this site by itself" in said) == (at_server["a's update"] is Form.PLAIN)


def test_only_noise_keeps_a_lying_server_from_single_rows():
    exact = scene.plan().spec
    honest = msgspec.structs.replace(exact, federation=msgspec.structs.replace(exact.federation, server="curious"))
    assert "a server that lies can single out rows" in gist.trained(exact)
    assert "lies" not in gist.trained(honest)
    assert "lies" not in gist.trained(scene.plan(privacy=scene.SHARED).spec)
