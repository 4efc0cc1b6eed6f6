"""The headline: one training task, the heart federation's 20 rounds, under every protection, with and without noise.

All parties in one process; engines and the (simulated) enclave are processes of their own, started within the first
round. The server follows the protocol, since `share` and `he` ask for that. AUC is exact, over all held-out rows:
possible only because the bench holds them all. Beside each row the same run under `clear`. Also writes headline.md.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.measure import Row, less, more
from potluck.api.local.demo import demo_plan
from potluck.api.local.explain import explain
from potluck.api.local.run import run
from potluck.learning.evaluation.evaluate import exact
from potluck.tasks.sources import tables

WORDS = ("clear", "mask", "share", "he", "tee")
PAGE = Path(__file__).parents[1] / "headline.md"
NOISE = {
    "without noise": 'privacy={noise="none"}',
    "epsilon 1": 'privacy={noise="shared", unit="row", epsilon=1.0, delta=1e-5, clip=1.0}',
}
NOTE = (
    "Noise is epsilon 1 a row for the whole run; under `clear` the server adds it. The times include starting the",
    "engine. The enclave is simulated here, so its host reads each update; a real one shows it ciphertext.",
)
CENTRAL = 'privacy={noise="reveal", unit="row", epsilon=1.0, delta=1e-5, clip=1.0}'
"""`clear` has nobody to share noise with: the server adds it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. seconds, sent: of all rounds together, and bytes that one site sends; sees: what the server does."""

    word: str
    seconds: float
    sent: float
    sees: str
    auc: float


def rows() -> Iterator[Row]:
    """Seconds, bytes a site sends, and AUC; each beside `clear`."""
    _measured("clear", "epsilon 1")  # what is loaded at first use counts for nobody
    found = {noise: [_measured(word, noise) for word in WORDS] for noise in NOISE}
    PAGE.write_text(page(found), encoding="utf-8")
    for noise, runs in found.items():
        clear = runs[0]
        for one in runs[1:]:
            what = f"headline, heart 20 rounds, {noise}, {one.word}"
            yield less(f"{what}: seconds", (one.seconds, clear.seconds), "clear", "s")
            yield less(f"{what}: a site sends", (one.sent, clear.sent), "clear", "B")
            yield more(f"{what}: AUC", (one.auc, clear.auc), "clear", "AUC")


def _measured(word: str, noise: str) -> Measured:
    private = CENTRAL if (word, noise) == ("clear", "epsilon 1") else NOISE[noise]
    plan = demo_plan([f'protect.with="{word}"', 'federation.server="curious"', private])
    with tempfile.TemporaryDirectory() as folder:
        done = run(plan, out=Path(folder) / "run", ledger=Path(folder) / "ledger")
        rounds = json.loads((Path(folder) / "run" / "run.json").read_bytes())["rounds"]
        auc = exact(done.model, list(tables(plan, None)[1].values())).auc
    assert auc is not None
    sites = len(plan.spec.sites)
    views = {(row["party"], row["of"]): row["form"] for row in explain(plan).rows()}
    sent = sum(one["bytes_up"] for one in rounds) / sites
    return Measured(word, sum(one["seconds"] for one in rounds), sent, views["server", "cleveland's update"], auc)


def page(found: Mapping[str, Sequence[Measured]]) -> str:
    """The table, as Markdown: a line a protection, without and with noise side by side."""
    lines = [
        "| heart, 20 rounds | seconds, without / with noise | KB a site sends | the server sees an update | AUC |",
        "|---|---|---|---|---|",
    ]
    for plain, noised in zip(*found.values(), strict=True):
        sees = plain.sees if plain.sees == noised.sees else f"{plain.sees} / {noised.sees}"
        cells = (
            f"`{plain.word}`",
            f"{plain.seconds:.2g} / {noised.seconds:.2g}",
            f"{plain.sent / 1e3:,.0f} / {noised.sent / 1e3:,.0f}",
            sees,
            f"{plain.auc:.3f} / {noised.auc:.3f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *NOTE]
    return "\n".join(lines) + "\n"
