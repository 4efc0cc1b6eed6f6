"""Plans with texts, across machines: the tokenizer travels with the graph, by its hash alone."""

import json
from importlib.util import find_spec

import pytest

if find_spec("torch") is None or find_spec("tokenizers") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

from click.testing import CliRunner

import potluck
from potluck.api.network import inbox
from potluck.api.network.preview import preview
from potluck.cli.site import inbox as cli
from potluck.core.errors import Refused
from potluck.learning.models.graphs import graph_of
from potluck.parties.admission import graphs
from support.files import texts
from support.hostile.proposals import by_person
from support.parties import across
from support.parties.across import Across, quick

pytestmark = pytest.mark.torch


@pytest.fixture
def fed(founded, tmp_path):
    fed = Across(across.copy(founded, tmp_path / "f"))
    for name, frame in texts.frames().items():
        frame.to_csv(fed.folder / name / "notes.csv", index=False)
    return fed


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan")
    texts.graph(folder / "net.graph")
    texts.written(folder / "tokenizer.json")
    return folder


def planned(home, name="tokenizer.json"):
    return texts.plan(home / "net.graph", home / name, "mask")


def allowed(fed):
    """Each site's rows are its notes."""
    for name in texts.SITES:
        policy = fed.folder / name / "policy.toml"
        policy.write_text(policy.read_text().replace("rows.csv", "notes.csv"))


def kept(fed, name="a"):
    return sorted((fed.folder / name / graphs.FOLDER).glob("*.graph"))


def test_the_model_is_that_of_one_process_and_each_site_was_sent_graph_and_tokenizer_once(fed, home):
    allowed(fed)
    plan = planned(home)
    with fed.attending(*texts.SITES):
        outcome, _ = fed.run(quick(plan))
    assert outcome.model.digest() == potluck.run(plan, data=texts.frames()).model.digest()
    answers = sorted(text for event, text in fed.said if event == "answer" and "lacking" in text)
    assert answers == [f"{name}: lacking graph" for name in texts.SITES]
    for name in texts.SITES:
        assert [path.read_bytes() for path in kept(fed, name)] == [graph_of(plan.spec)]


def test_the_inbox_says_by_which_tokenizer_texts_are_read(fed, home):
    allowed(fed)
    by_person(fed, "a")
    plan = planned(home)
    with fed.attending("a"), pytest.raises(Refused, match="a has not approved it yet"):
        across.until(fed, quick(plan), "pending")
    (asked,) = inbox.inbox(fed.folder / "a")
    column = plan.spec.data.columns["note"]
    assert f"note is a text, cut to its first 12 tokens by {column.digest} (WordPiece" in asked.learnt
    assert json.loads(json.dumps(asked.document()))["settings"]["data"]["columns"]["note"]["digest"] == column.digest
    leaving = preview(fed.folder / "a", asked.request.hash)
    assert len(leaving.values["delta"]) == 8 * 2 + 2 * 8 + 8 + 1
    (path,) = kept(fed)
    path.unlink()
    (asked,) = inbox.inbox(fed.folder / "a")
    assert column.digest in asked.learnt
    assert "WordPiece" not in asked.learnt
    assert "is not here" in CliRunner().invoke(cli.command, [str(fed.folder / "a")]).output


def test_another_tokenizer_is_another_plan_and_is_asked_for_anew(fed, home):
    allowed(fed)
    (home / "other.json").write_bytes(texts.changed(decoder=None))
    with fed.attending("a"), pytest.raises(Refused):
        across.until(fed, quick(planned(home)), "granted")
    with fed.attending("a"), pytest.raises(Refused):
        across.until(fed, quick(planned(home, "other.json")), "granted", "cd" * 16)
    assert len(kept(fed)) == 2
