"""What a run leaves: its folder (run.json, details.json, plan.toml, model, report.html), and its object in Python."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from potluck.api.results.frames import frames
from potluck.core import private
from potluck.core.errors import UsageError, unwritable
from potluck.core.visible import visible
from potluck.learning.data.tally import Tally
from potluck.learning.data.tally_words import noted, told
from potluck.learning.graph.outline import Outline, outline
from potluck.learning.models import basis
from potluck.learning.models.boosted.told import Boosted
from potluck.learning.models.model import Model
from potluck.learning.models.summary import Summary
from potluck.report.outcome import read
from potluck.report.page import render, run_html
from potluck.report.plots.drawn import figure
from potluck.report.plots.pictures import chosen, pictures
from potluck.tasks.trained import MODEL

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


@dataclass(frozen=True)
class Run:
    """A finished run: its model or results, its metrics, what it cost, its report and its pictures.

    Attributes:
        folder: where it is.
        document: the JSON of `potluck run --json`.
        data: by site what became of its values, for the owners of the rows: known right after `run` and `up`, and not
            kept in the folder, which is made to be passed on.

    Examples:
        >>> from importlib.resources import files
        >>> import potluck
        >>> plan = potluck.Plan.read(files("potluck") / "demo" / "heart.toml").set("training.rounds", 2)
        >>> run = potluck.run(plan, ledger="ledger", out="heart")
        >>> sorted(run.spent)
        ['cleveland', 'hungarian', 'switzerland', 'va']
        >>> run.pictures
        ('metrics', 'confusion', 'coefficients', 'epsilon')
        >>> potluck.Run.read("heart").document == run.document
        True
    """

    folder: Path
    document: Mapping[str, object] = field(repr=False)
    data: Mapping[str, Tally] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, folder: str | Path) -> "Run":
        """A run from its folder.

        Args:
            folder: as `potluck run` printed it.

        Raises:
            UsageError: there is no run.
        """
        path = Path(folder) / "run.json"
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise UsageError(
                "is no run", where=str(folder), hint="give the folder that `potluck run` printed"
            ) from None
        return cls(Path(folder), document)

    @property
    def model(self) -> Model:
        """The trained model: predict, predict_proba, to_sklearn. Raises UsageError for a run of statistics."""
        return self._model  # completion calls what is no property, and would stop at its error

    @cached_property
    def _model(self) -> Model:
        found = self.document.get("model")
        if not isinstance(found, Mapping):
            raise UsageError("has no model: its task is not train", where=str(self.folder))
        return Model.read(self.folder / Path(str(found["file"])).name)

    @property
    def metrics(self) -> object:
        """The metrics of the JSON; None where nothing may be shown."""
        return self.document.get("metrics")

    @property
    def folds(self) -> object:
        """The cross-validation of the JSON; None where the plan has no folds."""
        return self.document.get("folds")

    @property
    def results(self) -> object:
        """The statistics of the JSON."""
        return self.document.get("results")

    @property
    def frames(self) -> "Mapping[str, DataFrame]":
        """The statistics as tidy pandas tables, by name; more tables of one as `name.table`. Raises UsageError: the
        folder cannot be read."""
        return self._frames

    @cached_property
    def _frames(self) -> "Mapping[str, DataFrame]":
        return frames(self.folder)

    @property
    def predictions(self) -> Path | None:
        """The file of scores, where the run predicted and the scores are here."""
        found = self.document.get("predictions")
        return self.folder / Path(found).name if isinstance(found, str) else None

    @property
    def synthetic(self) -> Path | None:
        """The file of made-up rows, where the run made some up."""
        found = self.document.get("synthetic")
        return self.folder / Path(found).name if isinstance(found, str) else None

    @property
    def members(self) -> Path | None:
        """The file of common keys, where the run intersected, revealed them, and they are here."""
        found = self.document.get("members")
        return self.folder / Path(found).name if isinstance(found, str) else None

    @property
    def size(self) -> int | None:
        """How many keys all sites have, where the run intersected and the size is known here."""
        found = self.document.get("size")
        return found if isinstance(found, int) else None

    @property
    def spent(self) -> object:
        """Epsilon spent at each owner by this run (None where there is no noise)."""
        privacy = self.document["privacy"]
        return privacy["epsilon"] if isinstance(privacy, Mapping) else None

    @property
    def warnings(self) -> list[str]:
        """What to mind."""
        found = self.document["warnings"]
        return list(found) if isinstance(found, list) else []

    def row_warnings(self) -> list[str]:
        """What the owners have to mind of their rows, a line each."""
        return told(self.data)

    def row_notes(self) -> list[str]:
        """What of their rows may be worth a look, a line each."""
        return noted(self.data)

    def seen(self) -> list[str]:
        """Who could see what, a line a party, of one site's update and of the sums."""
        _, known = read(self.folder)
        one = known.sites[0].name
        parties = ["server", one, *[site.name for site in known.sites[1:2]]]
        lines = []
        for party in parties:
            views = [v for v in known.views if v.party == party and v.of in (f"{one}'s update", "the sum")]
            told = ", ".join(f"{view.of}: {view.form.value}" for view in views)
            lines.append(f"{party} sees {told}")
        return ["who could see what (all of it: `potluck explain`, or the report):", *lines]

    def report(self, path: str | Path | None = None, *, full: bool = False) -> Path:
        """Write the HTML report; gives its path. full: all of it is printed, not two pages. Raises UsageError: it
        cannot be written."""
        return write_report(self.folder, Path(path) if path else None, full=full)

    @property
    def pictures(self) -> tuple[str, ...]:
        """The names of what `plot` can draw of this run."""
        return tuple(pictures(self.folder))

    def plot(self, name: str | None = None) -> "Figure":
        """The run's pictures as a matplotlib figure, with every interval that its report has.

        Args:
            name: one of `pictures`: of a model "metrics", "history" (validation rows by round), "confusion",
                "coefficients", "importances", "columns"; of an evaluation or of folds "roc", "calibration", "decision
                curve"; a statistic's own name; with noise "epsilon". Without a name all of them, up to 12 panels.

        Returns:
            The figure: a notebook shows it, `savefig` writes it.

        Raises:
            UsageError: matplotlib is missing (`pip install 'potluck[plot]'`), or there is no such picture.
        """
        panels = chosen(self.folder, name)
        return figure(panels, f"Potluck run {self.folder.name}")

    def _repr_html_(self) -> str:
        lines = "".join(f"<li>{escape(visible(line))}</li>" for line in self.row_warnings())
        return run_html(self.folder) + (f"<ul>{lines}</ul>" if lines else "")


def write_report(folder: Path, output: Path | None, *, full: bool = False) -> Path:
    """One HTML file of the run in `folder`. full: all of it is printed, not two pages.

    Raises UsageError: no run there, or `output` cannot be written.
    """
    page = render(folder, full)
    path = (output or folder / "report.html").absolute()
    try:
        private.write(path, page)
    except OSError as error:
        raise unwritable(error, path, "name another file with -o") from None
    return path


def summary(model: str | Path) -> Summary | Outline | Boosted:
    """What a model file says of itself, or the one in a run's folder: of a graph what it is made of. Raises UsageError:
    there is none."""
    path = Path(model)
    found = Model.read(path / MODEL if path.is_dir() else path)
    if found.graph is None:
        return found.summary()
    known = basis.read(found.beside) if found.beside is not None else None
    said = known.notes if known is not None and known.model == found.digest() else ()
    return replace(outline(found.graph.network), notes=said)
