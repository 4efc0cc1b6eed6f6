"""Claims about plans that predict: what they need, what is refused, what enters the hash."""

import msgspec
import numpy as np
import pytest

from potluck.api.plan.plan import Plan
from potluck.core.errors import PlanError, UsageError
from potluck.core.plan import canonical
from potluck.tasks.predict import scorers
from support.parties import predict_scene as scene


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    monkeypatch.setitem(scorers.SCORERS.entries, "he", scene.ROW)


def read(folder, *settings, model=None):
    return Plan.read(scene.settle(folder, model), settings)


def said(plan, *texts):
    errors, _ = plan.problems()
    assert errors
    for text in texts:
        assert text in errors[0]


def test_a_plan_needs_no_columns_and_takes_its_mode_from_the_model(tmp_path):
    assert read(tmp_path).problems() == ([], [])
    assert read(tmp_path).spec.predict.mode == "batch"
    assert read(tmp_path, model=scene.linear()).spec.predict.mode == "batch"
    assert read(tmp_path, model=scene.network()).spec.predict.mode == "single"
    assert read(tmp_path, 'predict.mode="batch"', model=scene.network()).spec.predict.mode == "batch"


@pytest.mark.parametrize(
    ("settings", "key", "hint"),
    [
        (['predict.owner="nobody"'], "predict.owner: nobody is no site", "hospital, clinic"),
        (['predict.client="hospital"'], "predict.client: hospital has the model and the rows", "potluck score"),
        (['federation.sites=["hospital","clinic","va"]'], "federation.sites: va takes no part", "owner and client"),
        (["predict.max_rows=0"], "predict.max_rows: 0 does not fit", "1 to"),
        (["federation.corrupt=1"], "federation.corrupt: a prediction is between two", "leave it out"),
        (["federation.dropouts=1"], "federation.dropouts: a prediction is between two", "leave it out"),
        (['model.kind="linear"'], "model.kind: the model file says it", "leave it out"),
        (["model.l2=2.0"], "model.l2: the model file says it", "leave it out"),
        (['model.file="no.json"'], "model.file: there is no no.json here", "model.digest"),
        (["model={}"], "model.file: is missing", "model.json"),
        (['model={digest="abc"}'], "model.digest: is no digest", "sha256:"),
        (['privacy={noise="shared",unit="row",epsilon=1.0,delta=1e-5,clip=1.0}'], "privacy.noise", 'noise = "none"'),
        (['protect.with="clear"'], '"clear" does not carry out task = "predict"', "known for it: he"),
        (['protect.with="mask"'], '"mask" does not carry out task = "predict"', "known for it: he"),
        (['protect.with="share"'], "share needs parties that follow the protocol", 'protect.with = "he"'),
    ],
)
def test_what_cannot_be_is_refused_with_a_hint(tmp_path, settings, key, hint):
    said(read(tmp_path, *settings), key, hint)


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ('predict.ovner="a"', 'did you mean "owner"?'),
        ('predict.mode="bach"', 'did you mean "batch"?'),
        ('task="predikt"', 'did you mean "predict"?'),
    ],
)
def test_unknown_keys_and_words_are_named_with_the_nearest(tmp_path, setting, text):
    with pytest.raises(PlanError, match=text.replace("?", r"\?")):
        read(tmp_path, setting)


def test_tables_that_do_nothing_here_are_warned_about(tmp_path):
    plan = read(tmp_path, 'data.columns={age={kind="number",low=0,high=1}}', 'training.method="newton"')
    errors, warnings = plan.problems()
    assert errors == []
    assert [line.split(":")[0] for line in warnings] == ["training", "data.columns"]


@pytest.mark.parametrize("key", ["model", "predict"])
def test_tables_that_it_needs_are_missed(tmp_path, key):
    text = scene.PLAN.replace(f"[{key}]", f"[{key}x]")
    (tmp_path / "plan.toml").write_text(text)
    with pytest.raises(PlanError, match=f"{key}x"):
        Plan.read(tmp_path / "plan.toml")


def test_the_predict_table_belongs_to_its_task(tmp_path):
    read(tmp_path)
    plan = Plan.read(tmp_path / "plan.toml", ['task="statistics"', 'statistics=[{name="n",kind="count"}]'])
    said(plan, "predict: is for task")


def test_a_training_plan_still_needs_its_kind_and_takes_no_file(tmp_path):
    plan = Plan(
        name="p", purpose="t", task="train", federation={"sites": ["a", "b"]},
        data={"columns": {"x": {"kind": "number", "low": 0, "high": 1}}, "target": {"column": "y", "positive": ["1"]},
              "split": {"test": 0.3}},
        model={"file": "model.json"}, training={"method": "newton"}, protect={"with": "clear"},
        privacy={"noise": "none"},
    )  # fmt: skip
    errors, _ = plan.problems()
    assert errors[0].startswith("model.kind: is missing")
    assert errors[1].startswith("model.file: is for task")


def test_the_hash_names_the_model_and_not_where_it_lies(tmp_path):
    first = read(tmp_path)
    (tmp_path / "other").mkdir()
    scene.logistic().write(tmp_path / "other" / "m.json")
    moved = Plan.read(tmp_path / "plan.toml", ['model.file="other/m.json"'])
    assert moved.hash == first.hash
    digest = scene.logistic().digest()
    named = Plan.read(tmp_path / "plan.toml", [f'model={{digest="{digest}"}}', 'predict.mode="batch"'])
    assert named.hash == first.hash
    scene.linear().write(tmp_path / "other" / "m.json")
    assert Plan.read(tmp_path / "plan.toml", ['model.file="other/m.json"']).hash != first.hash


def test_what_travels_of_a_plan_holds_no_weight_and_no_path(tmp_path):
    sent = msgspec.json.decode(canonical(read(tmp_path).spec))
    model = sent["model"]
    assert model.pop("file") is model.pop("graph") is model.pop("start") is None
    assert model.pop("digest") == scene.logistic().digest()
    assert model.pop("files") == model.pop("digests") == []  # of an evaluation
    names = {"kind", "l2", "layers", "trainable", "base", "local", "activation", "seed", "depth", "bins"}
    names |= {"first", "loss"}
    assert set(model) == names


def test_a_digest_of_another_model_is_refused(tmp_path):
    scene.settle(tmp_path)
    with pytest.raises(PlanError, match=r"model\.digest: is not that of model\.file"):
        Plan.read(tmp_path / "plan.toml", [f'model.digest="{scene.linear().digest()}"'])


def test_without_the_model_the_mode_has_to_be_said(tmp_path):
    said(read(tmp_path, f'model={{digest="{scene.linear().digest()}"}}'), "predict.mode: is missing", '"batch"')


def broken(change):
    raw = msgspec.json.decode(scene.logistic().files()[0])
    change(raw)
    return msgspec.json.encode(raw)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "is no model file"),
        (b"{}", "is no model file"),
        (broken(lambda m: m["coefficients"].pop("age")), "do not fit its encoding"),
        (broken(lambda m: m["encoding"]["fields"][0].update(low=90.0)), "the range of column 'age'"),
        (broken(lambda m: m["encoding"]["fields"][1].update(values=["1", "1.0"])), "column 'sex' has no values"),
        (broken(lambda m: m.update(kind="linear")), "its target does not fit its kind"),
        (broken(lambda m: m.update(kind="network")), "its layers do not fit its kind"),
        (broken(lambda m: m["encoding"].update(fields=[])), "it has no column"),
        (broken(lambda m: m["coefficients"].update(age=1e300)).replace(b"1e300", b"1e999"), "model"),
        (broken(lambda m: m["coefficients"].update(age=float("nan"))), "model"),
    ],
)
def test_a_broken_model_file_is_wrong_input(tmp_path, body, text):
    scene.settle(tmp_path)
    (tmp_path / "model.json").write_bytes(body)
    with pytest.raises(UsageError, match=text):
        Plan.read(tmp_path / "plan.toml")


def test_a_network_with_a_weight_that_is_no_number_is_wrong_input(tmp_path):
    model = scene.network()
    model.weights[3] = np.nan
    scene.settle(tmp_path, model)
    with pytest.raises(UsageError, match="not finite"):
        Plan.read(tmp_path / "plan.toml")
