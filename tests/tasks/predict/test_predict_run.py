"""Claims about a prediction in one process: its scores are those of `score`, and whoever cheats is noticed."""

import csv
import json
import stat

import numpy as np
import pandas as pd
import pytest

from potluck.api.local.run import run
from potluck.api.plan.plan import Plan
from potluck.cli import potluck
from potluck.cli.door import run as command
from potluck.core.errors import DataError, PlanError, Refused, UsageError
from potluck.core.ledger import Volatile
from potluck.core.party import SERVER
from potluck.core.plan import digest
from potluck.core.rounds import Abort, Cause, RoundId
from potluck.core.wire import dump
from potluck.drivers.memory import Memory
from potluck.drivers.once import together
from potluck.drivers.transcript import Transcript
from potluck.learning.models.model import Model
from potluck.learning.models.scoring import encoded
from potluck.tasks.predict import halves as inference
from potluck.tasks.predict import scorers
from potluck.tasks.predict.halves import RoundContext
from support.hostile.tampering import altering
from support.parties import predict_scene as scene


@pytest.fixture(autouse=True)
def stand_in(monkeypatch, tmp_path):
    monkeypatch.setitem(scorers.SCORERS.entries, "he", scene.ROW)
    monkeypatch.chdir(tmp_path)


def scored(folder, model=None, text=None, *settings, **how):
    return run(Plan.read(scene.settle(folder, model, text), settings), ledger=folder / "ledger", **how)


def table(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("model", [scene.logistic(), scene.linear(), scene.network()], ids=lambda m: m.kind)
def test_the_scores_are_those_of_plain_scoring_within_the_bound(tmp_path, model):
    done = scored(tmp_path, model)
    columns, plain = model.scored(tmp_path / "rows.csv")
    head, *lines = table(done.document["predictions"])
    assert head == ["row", *columns]
    assert [line[0] for line in lines] == [str(n) for n in range(7)]
    ours = np.array([[float(cell) for cell in line[1:]] for line in lines])
    error = np.abs(ours - np.array(plain)).max()
    assert error <= done.document["max_error_bound"]
    assert error > 0
    slope = {"logistic": 1 / 4, "linear": 15.0, "network": 1 / 2}[model.kind]
    assert done.document["max_error_bound"] == pytest.approx(scene.BOUND * slope)


def test_the_margins_that_travel_are_the_models_own(tmp_path):
    for model in (scene.logistic(), scene.linear(), scene.network()):
        features = model.features(tmp_path / "rows.csv") if scene.settle(tmp_path, model) else None
        from potluck.learning.models.scoring import net

        assert np.allclose(scene.forward(net(model), features), model.margins(features), rtol=0, atol=1e-12)
        assert (net(model).low <= features).all()
        assert (features <= net(model).high).all()


def test_the_file_of_scores_is_its_owners_alone_and_never_written_over(tmp_path):
    done = scored(tmp_path, out=tmp_path / "out")
    path = tmp_path / "out" / "predictions.csv"
    assert done.document["predictions"] == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(UsageError, match="is there already"):
        scored(tmp_path, out=tmp_path / "out")


def test_scores_are_written_in_full_precision(tmp_path):
    done = scored(tmp_path)
    assert all(repr(float(cell)) == cell for _, cell in table(done.document["predictions"])[1:])


def test_the_document_says_what_a_prediction_is(tmp_path, capsys):
    plan = scene.settle(tmp_path)
    assert command(potluck, ["run", str(plan), "--compare", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["task"] == "predict"
    assert told["protect"] == "he"
    assert told["privacy"]["epsilon"] == {"hospital": None, "clinic": None}
    assert [one["round"] for one in told["rounds"]] == [1]
    assert told["rounds"][0]["bytes_up"] > 0
    assert told["notes"] == ["nothing is hidden: a stand-in"]
    assert told["agreement"]["rows"] == told["agreement"]["same_labels"] == 7
    assert 0 < told["agreement"]["largest_error"] <= told["max_error_bound"]
    assert "model" not in told
    assert "results" not in told


def test_without_compare_nothing_is_scored_in_plain(tmp_path):
    assert "agreement" not in scored(tmp_path).document


def test_numbers_have_no_labels_to_agree(tmp_path):
    assert scored(tmp_path, scene.linear(), compare=True).document["agreement"]["same_labels"] is None


def test_frames_are_scored_as_files_are(tmp_path):
    plan = Plan.read(scene.settle(tmp_path))
    from_file = run(plan, ledger=tmp_path / "l")
    from_frame = run(plan, {"clinic": pd.read_csv(tmp_path / "rows.csv", dtype=str)}, ledger=tmp_path / "l")
    assert table(from_file.document["predictions"]) == table(from_frame.document["predictions"])


def test_rows_that_the_encoding_drops_keep_their_place_without_a_score(tmp_path):
    model = scene.logistic(scene.AGE, scene.WEIGHT)
    done = scored(tmp_path, model, "age,kg\n30,70\n40,NA\n50,\n60,80\n")
    assert [line[1] != "" for line in table(done.document["predictions"])[1:]] == [True, False, False, True]
    assert done.document["notes"][-1] == "2 of 4 rows lack a value that the model needs, and have no score"


def test_a_missing_value_that_the_model_knows_is_scored_as_in_training(tmp_path):
    model = scene.logistic(scene.AGE, scene.CHOL, missing=("?",))
    done = scored(tmp_path, model, "age,chol\n30,NA\n40,?\n50,\n60,200\n", compare=False)
    plain = model.scores(pd.DataFrame({"age": ["30", "40", "50", "60"], "chol": ["?", "?", "?", "200"]}))
    assert np.allclose([float(line[1]) for line in table(done.document["predictions"])[1:]], plain, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("age,sex\n30,1\nsecretive,0\n", r"clinic: column 'age', line 3: nan, inf or text"),
        ("age,sex\n30,1\n,0\n", r"clinic: column 'age' has no value in 1 row \(line 3\)\. hint: fill it"),
        ("age\n30\n", r"clinic: there is no column 'sex'"),
        ("age,sex\n30,1\n40\n", r"clinic: line 3 has 1 columns"),
        ("age,sex\n", r"clinic: no row can be scored"),
    ],
)
def test_rows_that_cannot_be_encoded_are_named_by_column_and_line_without_a_value(tmp_path, text, what):
    with pytest.raises(DataError, match=what) as error:
        scored(tmp_path, None, text)
    assert "secretive" not in str(error.value)
    assert not (tmp_path / "runs").exists()


def test_more_rows_than_agreed_are_refused_before_anything_is_sent(tmp_path):
    with pytest.raises(Refused, match=r"more rows than predict.max_rows \(50\)"):
        scored(tmp_path, None, scene.rows(51))
    assert command(potluck, ["run", str(tmp_path / "plan.toml"), "--json"]) == 3


def test_a_file_without_a_header_is_read_in_the_models_order(tmp_path):
    model = scene.logistic(layout=("age", "ill", "sex"))
    text = "data.header=false"
    whole = scored(tmp_path, model, "30,0,1\n40,1,0\n", text)
    without = scored(tmp_path, model, "30,1\n40,0\n", text)
    assert table(whole.document["predictions"]) == table(without.document["predictions"])


def test_a_model_that_knows_columns_by_name_needs_a_header(tmp_path):
    with pytest.raises(DataError, match="the file has no names"):
        scored(tmp_path, None, "30,1\n", "data.header=false")


def test_a_text_that_the_model_takes_for_a_value_cannot_mean_no_value(tmp_path):
    with pytest.raises(DataError, match=r"data.missing does not go with the model: column 'sex'"):
        scored(tmp_path, None, None, 'data.missing=["0"]')


def test_only_the_client_has_rows(tmp_path):
    with pytest.raises(PlanError, match=r"data.files: hospital has none to be scored"):
        scored(tmp_path, None, None, 'data.files.hospital="rows.csv"')
    with pytest.raises(PlanError, match=r"data.files: there is none for clinic"):
        scored(tmp_path, None, None, "data.files={}")


def test_the_model_is_needed_to_run_here(tmp_path):
    model = f'model={{digest="{scene.logistic().digest()}"}}'
    with pytest.raises(PlanError, match="only a file can be scored with here"):
        scored(tmp_path, None, None, model, 'predict.mode="batch"')


def test_the_engine_is_named_where_it_is_missing(tmp_path, monkeypatch):
    row = scorers.Scorer(scene.views, scene.problems, scene.forecast, scene.ROW.build, "he")
    monkeypatch.setitem(scorers.SCORERS.entries, "he", row)
    monkeypatch.setenv("POTLUCK_ENGINES", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="potluck engine install he"):
        scored(tmp_path)


def test_the_engines_are_let_go_however_a_run_ends(tmp_path):
    before = scene.InsecurePredict.closed
    scored(tmp_path)
    with pytest.raises(DataError):
        scored(tmp_path, None, "age,sex\n")
    assert scene.InsecurePredict.closed == before + 2


def test_parcels_are_recorded_where_asked(tmp_path):
    done = scored(tmp_path, out=tmp_path / "out", record=True)
    steps = [json.loads(line)["step"] for line in (done.folder / "parcels" / "index.jsonl").read_text().splitlines()]
    assert steps.count("predict/card") == 2
    assert "insecure/rows" in steps


class Table:
    """One round that a test may disturb. play: what a party really does, by party."""

    def __init__(self, folder, text=None, run="r", ledgers=None, **memory):
        self.plan = Plan.read(scene.settle(folder, None, text)).spec
        self.model, self.folder, self.run = Model.read(folder / "model.json"), folder, run
        self.memory = Memory(self.plan.sites, digest(self.plan), ledgers=ledgers, **memory)
        self.desks = {}

    def rows(self, card):
        return encoded(card, self.plan.data, self.folder / "rows.csv", "clinic")

    def sit(self, number=1, plans=None, play=None):
        owner, client = scene.parties()
        plans = plans or {}
        seats = {
            party: RoundContext(plans.get(party, self.plan), scene.InsecurePredict(), RoundId(self.run, number))
            for party in (SERVER, owner, client)
        }
        seat = self.memory.seat
        halves = {
            SERVER: inference.lead(seats[SERVER], seat(SERVER)),
            owner: inference.answer(seats[owner], self.model, seat(owner)),
            client: inference.ask(seats[client], self.rows, seat(client)),
        }
        for party, how in (play or {}).items():
            halves[party] = how(seat(party), halves[party])
        self.desks = self.memory.round(RoundId(self.run, number), halves)
        return [self.desks[party].abort and self.desks[party].abort.cause for party in (SERVER, owner, client)]


def test_an_undisturbed_round_ends_well_at_all_three(tmp_path):
    assert Table(tmp_path).sit() == [None, None, None]


def turned(step):
    return altering(lambda seat, to, one, body: body[:-1] + bytes([body[-1] ^ 1]) if one == step else body)


def test_a_server_that_changes_the_clients_key_is_noticed_by_the_owner(tmp_path):
    assert Table(tmp_path).sit(play={SERVER: turned(inference.KEY)})[1] is Cause.SIGNATURE


def test_a_server_that_changes_the_card_is_noticed_by_the_client(tmp_path):
    assert Table(tmp_path).sit(play={SERVER: turned(inference.CARD)})[2] is Cause.SIGNATURE


def test_a_server_that_puts_its_own_key_in_the_clients_place_gets_no_card(tmp_path):
    from potluck.core.wire import dump
    from potluck.secret.box import SEED, BoxKey
    from potluck.secret.container import Secret

    def own(seat, to, step, body):
        key = BoxKey(Secret(bytes(SEED))).public
        return dump(inference.Key(key, seat.sign(key))) if step == inference.KEY else body

    assert Table(tmp_path).sit(play={SERVER: altering(own)})[1] is Cause.SIGNATURE


def test_a_card_that_cannot_be_is_refused_by_the_client(tmp_path):
    at = Table(tmp_path)
    at.model = scene.logistic(scene.Field(name="age", kind="number", low=90.0, high=20.0), scene.SEX)
    assert at.sit()[2] is Cause.MALFORMED


def test_a_server_that_runs_another_plan_is_noticed_by_both(tmp_path):
    other = Plan.read(scene.settle(tmp_path), ["predict.max_rows=49"]).spec
    assert Table(tmp_path).sit(plans={SERVER: other})[1:] == [Cause.TERMS, Cause.TERMS]


def test_sites_with_different_plans_do_not_meet(tmp_path):
    other = Plan.read(scene.settle(tmp_path), ["predict.max_rows=51"]).spec
    assert Table(tmp_path).sit(plans={scene.parties()[0]: other})[1] is Cause.TERMS


def test_the_server_does_not_read_the_card(tmp_path):
    transcript = Transcript(tmp_path / "parcels")
    here, word = Table(tmp_path, transcript=transcript), b"category"  # of so many letters none stands there by chance
    here.sit()
    lines = [json.loads(line) for line in (tmp_path / "parcels" / "index.jsonl").read_text().splitlines()]
    read = [(tmp_path / "parcels" / one["file"]).read_bytes() for one in lines if one["step"].startswith("predict/")]
    assert len(read) == 5  # key and card twice, and that all is done
    assert not any(word in body for body in read)
    assert word in dump(here.model.card)  # the control


def test_scores_of_a_run_leave_the_owner_once(tmp_path):
    ledgers = {scene.parties()[0]: Volatile()}
    assert Table(tmp_path, ledgers=ledgers).sit(1) == [None, None, None]
    assert Table(tmp_path, ledgers=ledgers).sit(2)[1] is Cause.REPLAY
    assert Table(tmp_path, run="other", ledgers=ledgers).sit(1) == [None, None, None]


def test_a_round_that_broke_before_any_score_left_may_be_run_again(tmp_path):
    ledgers = {scene.parties()[0]: Volatile()}
    silent = {"vanish": lambda party, round, step: party == scene.parties()[1] and step == scene.ASKED}
    assert Table(tmp_path, ledgers=ledgers, **silent).sit(1)[1] is not None
    assert Table(tmp_path, ledgers=ledgers).sit(2) == [None, None, None]


def test_a_second_answer_says_what_to_do(tmp_path):
    ledgers = {scene.parties()[0]: Volatile()}
    for number in (1, 2):
        at = Table(tmp_path, ledgers=ledgers)
        context = RoundContext(at.plan, scene.InsecurePredict(), RoundId("r", number))
        if number == 1:
            together(context.round, inference.halves(context, at.model, at.rows, at.memory.seat), at.memory)
            continue
        with pytest.raises(Abort, match="start a new run") as abort:
            together(context.round, inference.halves(context, at.model, at.rows, at.memory.seat), at.memory)
        assert abort.value.cause is Cause.REPLAY


def test_an_answer_that_holds_no_scores_ends_the_run(tmp_path):
    import msgspec

    def nothing(seat, to, step, body):
        return msgspec.msgpack.encode([[1.0]]) if step == scene.SCORED else body

    assert Table(tmp_path).sit(play={scene.parties()[0]: altering(nothing)})[2] is Cause.RANGE


def test_a_plan_written_in_python_predicts_too(tmp_path):
    scene.settle(tmp_path)
    plan = Plan(
        name="p", purpose="t", task="predict", federation={"sites": ["hospital", "clinic"]},
        model={"file": "model.json"}, predict={"owner": "hospital", "client": "clinic"}, protect={"with": "he"},
        privacy={"noise": "none"},
    )  # fmt: skip
    done = run(plan, {"clinic": pd.read_csv(tmp_path / "rows.csv")}, ledger=tmp_path / "l")
    assert len(pd.read_csv(done.predictions)) == 7
