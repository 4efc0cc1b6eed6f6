"""One training task, the heart federation's 20 rounds, under every protection, attacked and audited, in one run.

Beside what a run costs (seconds of a processor, of all parties and engines together; bytes that a site sends; AUC,
exact over all held-out rows: only the bench has them) stands what comes of it:

- Rates: a site's rate of positive rows, by the first slope that the server reads.
- Rows: of the first whole row of each hospital, alone in its file, how many come out to the last digits.
- Members: by what the sums say of who is in them, where the server reads exact ones, and by LiRA, with 32 models of the
  attacker's own: the better. Of rows that trained, how many it names where it names one other row in 100; guessing
  names 1 %.
- Epsilon: what the plan claims, and the best lower bound that `audit` proves.

Beside each row the same run under `clear`. The table goes to proof.md.
"""

import json
import resource
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import potluck
from harness.measure import Row, less, more
from potluck.api.local.demo import demo_plan
from potluck.api.local.run import run
from potluck.api.plan.plan import Plan
from potluck.audits.attack import Attack, Sort
from potluck.audits.membership.equations import EQUATIONS
from potluck.audits.membership.lira import LIRA
from potluck.audits.reconstruction.analytic import ANALYTIC
from potluck.audits.reconstruction.rates import RATES
from potluck.audits.record import Record
from potluck.audits.seen import seen_by
from potluck.audits.trial import Result, trials
from potluck.learning.evaluation.evaluate import exact
from potluck.tasks.sources import tables

WORDS = ("clear", "mask", "share", "he", "tee")
PAGE = Path(__file__).parents[1] / "proof.md"
EPSILON, MINUTES, ROUNDS = 1.0, 0.5, 2
"""Of the noise; of an audit; rounds of the runs over a row a site."""
PROMISED = f"unit='row', epsilon={EPSILON}, delta=1e-5, clip=1.0".replace("'", '"')
NOISE = {"without noise": 'privacy={noise="none"}', "epsilon 1": f'privacy={{noise="shared", {PROMISED}}}'}
CENTRAL = f'privacy={{noise="reveal", {PROMISED}}}'
"""`clear` has nobody to share noise with: the server adds it."""
NOTE = (
    "Without / with noise: epsilon 1 a row for the run, added by the server under `clear`. Seconds are those of a",
    "processor, of all parties. Attacks had what the server read; guessing names 1 %. Epsilon: claimed / proved.",
    "The enclave is simulated: its host could read each update, as the server does under `clear`.",
)


HEAD = (
    "seconds", "KB a site sends", "AUC", "sites' rates found", "rows found, one a site", "members named", "epsilon",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ran:
    """A run: seconds of a processor, bytes a site, AUC (0 where none is asked for), what attacks came to."""

    seconds: float
    sent: float
    auc: float
    tried: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. seconds, sent: of all rounds together, and bytes that one site sends; rates: sites whose rate was found;
    found: rows, of one a site; named: the share of members that one attack names; proved: of epsilon, if any."""

    word: str
    seconds: float
    sent: float
    auc: float
    rates: int
    found: int
    named: float
    proved: float | None


def rows() -> Iterator[Row]:
    """Seconds, bytes a site sends, and AUC; each beside `clear`."""
    _spent(_plan("clear", "epsilon 1"), {})  # what is loaded at first use counts for nobody
    found = {noise: [_measured(word, noise) for word in WORDS] for noise in NOISE}
    PAGE.write_text(page(found), encoding="utf-8")
    for noise, runs in found.items():
        clear = runs[0]
        for one in runs[1:]:
            what = f"headline, heart 20 rounds, {noise}, {one.word}"
            yield less(f"{what}: processor seconds", (one.seconds, clear.seconds), "clear", "s")
            yield less(f"{what}: a site sends", (one.sent, clear.sent), "clear", "B")
            yield more(f"{what}: AUC", (one.auc, clear.auc), "clear", "AUC")


def _plan(word: str, noise: str, *more: str) -> Plan:
    private = CENTRAL if (word, noise) == ("clear", "epsilon 1") else NOISE[noise]
    return demo_plan([f'protect.with="{word}"', 'federation.server="curious"', private, *more])


def _spent(plan: Plan, data: Mapping[str, Path]) -> Ran:
    """A run, and what attacks with the server's part of its record came to. data: in place of the plan's files."""
    with tempfile.TemporaryDirectory() as folder:
        begun = _processor()
        done = run(plan, data or None, out=Path(folder) / "run", ledger=Path(folder) / "ledger", record=True)
        seconds = _processor() - begun
        rounds = json.loads((Path(folder) / "run" / "run.json").read_bytes())["rounds"]
        spec, held = tables(plan, data or None)
        truth = {site.name: table for site, table in held.items()}
        seen = seen_by(Record.read(Path(folder) / "run" / "parcels"), spec, {"server"})
        table: tuple[Attack, ...] = (ANALYTIC,) if data else (RATES, EQUATIONS, LIRA)
        tried = tuple(trials(seen, truth, 120.0, 0, lambda name: None, table))
        auc = None if data else exact(done.model, list(held.values())).auc
    return Ran(seconds, sum(one["bytes_up"] for one in rounds) / len(held), auc or 0.0, tried)


def _processor() -> float:
    """Seconds of this process, and of its children that have ended."""
    each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in each)


def _measured(word: str, noise: str) -> Measured:
    plan = _plan(word, noise)
    ran = _spent(plan, {})
    tried = ran.tried
    members = [one for one in tried if one.sort is Sort.MEMBERSHIP and one.tried]
    assert all(one.control for one in members if one.name == EQUATIONS.name)  # LiRA's is luck of a linear model
    named = max(one.verdict.score or 0.0 for one in members)
    rates = sum(bool(one.verdict.succeeded) for one in tried if one.name == RATES.name)
    proved = None
    if plan.spec.noisy:
        audited = potluck.audit(plan, minutes=MINUTES)
        assert audited.held is not False
        proved = max(one.lower_bound for one in audited.audits)
    return Measured(word, ran.seconds, ran.sent, ran.auc, rates, _found(word, noise), named, proved)


def _found(word: str, noise: str) -> int:
    """Of the first whole row of each hospital, alone in its file, how many are found."""
    whole = demo_plan()
    plan = _plan(word, noise, f"training.rounds={ROUNDS}", "training.expected_rows=4")
    kept = plan.tables["data"]
    assert isinstance(kept, Mapping)
    plan = plan.set("data", {name: value for name, value in kept.items() if name != "split"})
    with tempfile.TemporaryDirectory() as folder:
        data = dict[str, Path]()
        for name, file in whole.spec.data.files.items():
            lines = (whole.folder / file).read_text(encoding="utf-8").splitlines()
            data[name] = Path(folder, f"{name}.csv")
            data[name].write_text(next(one for one in lines if "?" not in one.split(",")[:10]) + "\n", encoding="utf-8")
        tried = _spent(plan, data).tried
    assert all(one.control for one in tried)
    return sum(round((one.verdict.score or 0.0) * len(one.of)) for one in tried if one.verdict.succeeded)


def page(found: Mapping[str, Sequence[Measured]]) -> str:
    """The table, as Markdown: a line a protection, without and with noise side by side."""
    lines = [
        f"| heart, 20 rounds | {' | '.join(HEAD)} |",
        "|---" * (len(HEAD) + 1) + "|",
    ]
    for plain, noised in zip(*found.values(), strict=True):
        cells = (
            f"`{plain.word}`",
            f"{plain.seconds:.2g} / {noised.seconds:.2g}",
            f"{plain.sent / 1e3:,.0f} / {noised.sent / 1e3:,.0f}",
            f"{plain.auc:.3f} / {noised.auc:.3f}",
            f"{plain.rates} / {noised.rates} of 4",
            f"{plain.found} / {noised.found} of 4",
            f"{100 * plain.named:.1f} / {100 * noised.named:.1f} %",
            f"{EPSILON:g} / {noised.proved:.2f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *NOTE]
    return "\n".join(lines) + "\n"
