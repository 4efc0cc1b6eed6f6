"""`tee` from the plan to the result: the same model, each owner's own policy, stamps, and robust rules."""

import json

import numpy as np
import pytest

import potluck
from potluck.api.local.check import check
from potluck.api.plan.plan import Plan
from potluck.core.errors import PlanError, Refused, UsageError
from potluck.core.plan import digest
from potluck.core.rounds import Abort, Cause
from potluck.learning.loops import build
from potluck.report.page import render
from potluck.tasks.sums import protections
from potluck.tee.attestation import messages as a
from potluck.tee.attestation.demand import built_in_text
from potluck.tee.sum import messages as m
from support.parties import scene

SIMULATED = "no protection: simulated"
MEAN = {"method": "average", "rounds": 3}
NEWTON = {"method": "newton", "rounds": 4}
PRODUCTION = 'version = 1\nformats = ["snp"]\n[snp]\nmeasurements = ["{}"]\n'.format("ab" * 48)


def plan(word="tee", **said):
    made = scene.plan(word=word, dropouts=said.pop("dropouts", 1))
    for key, value in said.items():
        made = made.set(key.replace("__", "."), value)
    return made


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def done(made, out, **more):
    return potluck.run(made, scene.frames(), out=out, ledger=out.parent / "ledger", **more)


@pytest.mark.parametrize(
    "training",
    [
        MEAN,
        *(
            pytest.param(one, marks=pytest.mark.slow)
            for one in ({"method": "gradient", "rounds": 3, "expected_rows": 100}, NEWTON)
        ),
    ],
)
def test_the_model_is_that_of_clear_and_mask_bit_for_bit(here, training):
    runs = [done(plan(word, training=training), here / word) for word in ("clear", "mask", "tee")]
    assert len({run.model.digest() for run in runs}) == 1
    assert len({json.dumps(run.metrics) for run in runs}) == 1


@pytest.mark.slow
def test_statistics_are_those_of_clear(here):
    asked = [{"name": "m", "kind": "mean", "column": "x"}, {"name": "h", "kind": "histogram", "column": "z"}]
    runs = []
    for word in ("clear", "tee"):
        made = plan(word).set("task", "statistics").set("statistics", asked)
        runs.append(done(made, here / word))
    assert runs[0].results == runs[1].results


def test_drop_outs_within_the_plan_leave_the_sum_of_those_who_stayed():
    def gone(step):
        return lambda party, round, now: party.name == "b" and now == step and round.number == 1

    for step in (a.NONCE, m.INPUT):
        models = []
        for word, at in (("tee", step), ("clear", "clear/input")):
            found = scene.Scene(plan(word), vanish=gone(at))
            models.append(found.run().model.digest())
            assert found.sums.log.rounds[0].dropped.keys() == {"b"}
        assert len(set(models)) == 1


# --- Stamps ---


def test_a_simulated_enclave_is_stamped_wherever_its_results_are_shown(here):
    run = done(plan(), here / "r")
    assert run.document["stamp"] == SIMULATED
    assert any(SIMULATED in line for line in run.warnings)
    assert "No protection: simulated." in render(run.folder)
    rows = potluck.explain(plan()).rows()
    server = [row for row in rows if row["party"] == "server" and row["of"].endswith("'s update")]
    assert {(row["form"], row["note"]) for row in server} == {("plain", SIMULATED)}
    metrics = [row["form"] for row in rows if row["party"] == "server" and row["of"].endswith("'s metrics")]
    assert set(metrics) == {"plain"}
    assert "stamp" not in done(plan("mask"), here / "m").document


def test_a_real_enclave_shows_the_server_ciphertexts_unless_it_is_opened():
    rows = potluck.explain(plan(protect__enclave="tsm")).rows()
    server = [row for row in rows if row["party"] == "server" and row["of"].endswith("'s update")]
    assert {row["form"] for row in server} == {"ciphertext"}
    assert all("opens the machine or breaks the vendor's key" in row["breaks_if"] for row in server)
    together = {row["of"]: row["form"] for row in potluck.explain(plan(protect__enclave="tsm"), ["server", "b"]).rows()}
    assert together["a's update"] == "ciphertext"


def test_shared_noise_inside_a_simulated_enclave_is_all_the_server_does_not_see():
    shared = scene.plan(privacy=scene.SHARED, word="tee")
    rows = potluck.explain(shared).rows()
    assert {r["form"] for r in rows if r["party"] == "server" and r["of"] == "a's update"} == {"noised"}


# --- Each owner's policy ---


def test_a_policy_that_believes_no_simulated_enclave_refuses_the_run_before_a_row_is_read(here):
    (here / "policy.toml").write_text(PRODUCTION)
    with pytest.raises(Refused, match="formats holds none"):
        done(plan(protect__policy="policy.toml"), here / "r")
    (here / "policy.toml").write_text(built_in_text().replace("development", "production"))
    with pytest.raises(Refused, match="no enclave to a production policy"):
        done(plan(protect__policy="policy.toml"), here / "r")
    assert not (here / "r").exists()


def test_a_policy_of_another_code_ends_in_the_owners_refusal(here):
    (here / "policy.toml").write_text('version = 1\nmode = "development"\nformats = ["simulated"]\n'
                                      f'[simulated]\nmeasurements = ["{"ab" * 32}"]\n')  # fmt: skip
    with pytest.raises(Abort) as stop:
        done(plan(protect__policy="policy.toml"), here / "r")
    assert stop.value.cause is Cause.EVIDENCE
    assert "measurement_not_allowed" in str(stop.value)
    assert not (here / "r").exists()


@pytest.mark.slow
def test_a_development_policy_of_ones_own_is_enough_for_a_rehearsal(here):
    (here / "policy.toml").write_text(built_in_text() + "# mine\n")
    made = plan(protect__policy="policy.toml")
    assert done(made, here / "r").document["stamp"] == SIMULATED
    assert made.hash == plan().hash


@pytest.mark.parametrize("enclave", ["tsm", "nsm", "tpm"])
def test_a_real_enclave_needs_a_policy(here, enclave):
    with pytest.raises(PlanError, match="policy is missing"):
        done(plan(protect__enclave=enclave), here / "r")
    assert plan(protect__enclave=enclave).hash != plan().hash


def test_a_policy_that_cannot_be_read_is_wrong_input(here):
    for text in (None, "version = 2", 'version = 1\nformats = ["simulated"]\nmod = "development"'):
        if text is not None:
            (here / "policy.toml").write_text(text)
        with pytest.raises(UsageError):
            done(plan(protect__policy="policy.toml"), here / "r")


@pytest.mark.slow
def test_check_rehearses_a_real_enclave_with_a_simulated_one(here):
    (here / "policy.toml").write_text(PRODUCTION)
    made = plan(protect__enclave="tsm", protect__policy="policy.toml")
    verdict = check(made)
    assert verdict.ok, verdict.errors
    assert verdict.bytes_up > 0
    assert not any(SIMULATED in line for line in verdict.warnings)


def test_check_says_that_a_tpm_encrypts_no_memory():
    warned = [any("encrypts no memory" in line for line in plan(protect__enclave=word).problems()[1])
              for word in ("tpm", "tsm", "nsm", "simulated")]  # fmt: skip
    assert warned == [True, False, False, False]


# --- Robust rules ---

RULES = ["median", "trimmed", "krum", "norm"]


def robust(rule, word="tee", **said):
    return plan(word, training=MEAN | {"aggregation": rule}, **said)


@pytest.mark.slow
@pytest.mark.parametrize("rule", [RULES[0], *(pytest.param(one, marks=pytest.mark.slow) for one in RULES[1:])])
def test_a_robust_rule_trains_and_evaluates_by_a_plain_sum(here, rule):
    run = done(robust(rule), here / rule)
    mean = done(plan(training=MEAN), here / "mean")
    assert run.model.digest() != mean.model.digest()
    assert run.document["metrics"]["federated"]["rows"] == mean.document["metrics"]["federated"]["rows"]
    aucs = [one.document["metrics"]["federated"]["auc"] for one in (run, mean)]
    assert abs(aucs[0] - aucs[1]) < 0.1


def test_the_terms_say_the_rule_of_training_alone():
    from potluck.core.asks import Kind
    from potluck.core.rounds import RoundId, Rule
    from potluck.dp.mechanism import mechanism
    from potluck.tasks.sums.halves import terms

    spec = robust("median").spec
    task = build(spec)
    first = next(task.lead())
    made = terms(spec, RoundId("r", 1), first, mechanism(spec, first))
    assert made.rule == Rule("median", 2, 100)
    judged = task.ask(Kind.EVALUATE, 0, first.state)
    assert terms(spec, RoundId("r", 1), judged, mechanism(spec, judged)).rule == Rule()
    plain = plan(training=MEAN).spec
    assert terms(plain, RoundId("r", 1), first, mechanism(plain, first)).rule == Rule()


@pytest.mark.parametrize("word", ["clear", "mask", "he"])
def test_a_robust_rule_needs_an_enclave(word):
    made = robust("krum", word, federation__server="curious")
    (error,) = made.problems()[0]
    assert error.startswith("training.aggregation")
    assert 'hint: protect.with = "tee"' in error


def test_a_robust_rule_needs_average_and_no_noise():
    wrong = plan(training={"method": "gradient", "rounds": 3, "aggregation": "median", "expected_rows": 100})
    assert any("training.aggregation" in line and 'method = "average"' in line for line in wrong.problems()[0])
    noise = {"noise": "shared", "unit": "site", "epsilon": 3.0, "delta": 1e-5, "clip": 1.0}
    noisy = robust("median", privacy=noise)
    assert any("training.aggregation" in line and "is no sum" in line for line in noisy.problems()[0])


def test_krum_is_said_to_open_one_sites_update():
    rows = potluck.explain(robust("krum", protect__enclave="tsm")).rows()
    assert {r["form"] for r in rows if r["party"] == "server" and r["of"] == "a's update"} == {"plain"}
    assert any("krum opens one site's update" in line for line in robust("krum").problems()[1])


@pytest.mark.slow
def test_one_update_times_ten_moves_the_mean_and_not_the_rules():
    """A site sends ten times its change, turned round: by the mean it decides, by the rules it does not."""
    moved = {}
    for rule in ("mean", *RULES):
        weights = [trained(rule, factor) for factor in (1, -10)]
        moved[rule] = float(np.abs(weights[0] - weights[1]).max())
    assert all(moved[rule] < 0.5 * moved["mean"] for rule in RULES), moved


def trained(rule, factor):
    """Final weights where site a's rows are as they are and its update is multiplied."""
    from potluck.core.asks import Kind
    from potluck.core.stages import Update

    found = scene.Scene(robust(rule) if rule != "mean" else plan(training=MEAN))
    kind = type(build(found.spec))
    plain = kind.contribute

    def poisoned(self, ask, rows, draw):
        for update in plain(self, ask, rows, draw):
            if ask.kind is Kind.TRAIN and rows is victim["a"]:
                values = update.values.copy()
                values[:, :-2] *= factor
                yield Update(values)
            else:
                yield update

    from potluck.tasks.sources import tables

    _, held = tables(found.plan, scene.frames())
    victim = {site.name: table for site, table in held.items()}
    kind.contribute = poisoned
    try:
        return run_on(found, held)
    finally:
        kind.contribute = plain


def run_on(found, held):
    from potluck.drivers.memory import Memory
    from potluck.drivers.sums import Sums, drive
    from potluck.tasks.sums.together import Together

    spec = found.spec
    memory = Memory(spec.sites, digest(spec))
    task = build(spec)
    together = Together(spec, task, protections.row(spec).build(spec, None), held, memory, "run")
    return np.array(list(drive(task, Sums(spec, together)).model.coefficients.values()))


def test_a_plan_with_tee_reads_back_from_toml(here):
    text = here / "plan.toml"
    text.write_text("""
version = 1
name = "p"
purpose = "p"
task = "statistics"
federation.sites = ["a", "b", "c"]
data.columns.x = { kind = "number", low = 0, high = 1 }
protect = { with = "tee", enclave = "tsm", policy = "policy.toml" }
privacy.noise = "none"
statistics = [{ name = "m", kind = "mean", column = "x" }]
""")
    made = Plan.read(text)
    assert (made.spec.protect.enclave, made.spec.protect.policy) == ("tsm", "policy.toml")
    assert made.problems()[0] == []
    with pytest.raises(PlanError, match="did you mean"):
        Plan.read(text, ['protect.enclave="tms"'])


# --- Central noise, added inside ---

REVEAL = {"noise": "reveal", "unit": "row", "epsilon": 3.0, "delta": 1e-5, "clip": 1.0}


def central(**said):
    return plan(privacy=REVEAL, **said)


def test_a_lying_server_may_leave_central_noise_to_a_real_enclave_alone():
    assert central(protect__enclave="tsm").problems()[0] == []
    for wrong in (central(), plan("mask", privacy=REVEAL)):
        assert any("would leave out the noise" in line for line in wrong.problems()[0])
    assert central(federation__server="curious").problems()[0] == []


def test_the_server_is_said_to_see_the_noised_sum_where_the_enclave_is_real():
    def of_the_sum(made):
        return {
            row["form"] for row in potluck.explain(made).rows() if (row["party"], row["of"]) == ("server", "the sum")
        }

    assert of_the_sum(central(protect__enclave="tsm")) == {"noised"}
    assert of_the_sum(central(federation__server="curious")) == {"sum"}


def test_the_noise_is_added_once_and_charged_as_reveal_is(here):
    """As much as the server would add: nothing twice, nothing left out."""
    runs = {
        word: done(plan(word, privacy=REVEAL, federation__server="curious"), here / word) for word in ("clear", "tee")
    }
    costs = [run.document["privacy"] for run in runs.values()]
    assert costs[0] == costs[1]
    assert all(0 < value <= 3 for value in costs[1]["epsilon"].values())
    (_, server), (opened, enclave) = released("clear", 1), released("tee", 100)
    assert np.array_equal(server, enclave)
    # Of three numbers: .24 is nearly six standard deviations of what a hundred sums show. Twice would be 1.41.
    assert 0.76 < np.mean(np.std(opened, axis=0) / server) < 1.24


def released(word, times):
    """(so many opened first sums, the deviation that each is said to have)."""
    from potluck.core.party import SERVER
    from potluck.core.rounds import RoundId
    from potluck.drivers.memory import Memory
    from potluck.tasks.sources import tables
    from potluck.tasks.sums.halves import RoundContext, join, lead

    made = plan(word, privacy=REVEAL, federation__server="curious")
    spec, held = tables(made, scene.frames())
    task, protection = build(spec), protections.row(spec).build(spec, None)
    first, found = next(task.lead()), []
    for number in range(times):
        memory = Memory(spec.sites, digest(spec))
        context = RoundContext(spec, task, protection, RoundId(f"run {number}", 1))
        halves = {site: join(context, rows, memory.seat(site)) for site, rows in held.items()}
        desks = memory.round(context.round, {SERVER: lead(context, first, memory.seat(SERVER)), **halves})
        release = desks[SERVER].result.release
        found.append(release.values)
    return np.array(found), release.std


# --- The enclave's death ---


@pytest.mark.parametrize("at", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_an_enclave_that_dies_ends_the_run_by_name_and_nothing_is_left(here, monkeypatch, at):
    import os

    from potluck.tee.host import Enclave

    begun, plain = [], Enclave.begin

    def begin(self, spec):
        plain(self, spec)
        begun.append(spec.number)
        if len(begun) == at:
            os.kill(self._worker.pid, 9)
            self._worker._process.wait(10)

    monkeypatch.setattr(Enclave, "begin", begin)
    with pytest.raises(Abort) as stop:
        done(plan(), here / "r")
    assert stop.value.cause is Cause.ENGINE, stop.value
    assert len(begun) == at
    assert not (here / "r").exists()


@pytest.mark.slow
def test_an_enclave_that_dies_between_rounds_is_not_replaced(here, monkeypatch):
    from potluck.tee.host import Enclave

    plain, opened = Enclave.open, []

    def open_and_die(self, signers, spec):
        words = plain(self, signers, spec)
        opened.append(self._worker.pid)
        self._worker.close()
        return words

    monkeypatch.setattr(Enclave, "open", open_and_die)
    with pytest.raises(Abort) as stop:
        done(plan(), here / "r")
    assert stop.value.cause is Cause.REPLAY
    assert "stay with the enclave that the run began with" in str(stop.value)
    assert len(opened) == 1
