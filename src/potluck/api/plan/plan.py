"""`potluck.Plan`: a plan as its author wrote it, and the checked data behind it."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from potluck.api.plan.begun import begun, unlike, with_first
from potluck.api.plan.defaults import filled
from potluck.api.plan.grammar import Lined, Toml, inline, override, parse, read_text, read_toml, replaced
from potluck.api.plan.judged import judged
from potluck.core import plan as core
from potluck.core.errors import PlanError, UsageError
from potluck.learning.models.graphs import fits, patterned, with_file
from potluck.learning.models.model import Model
from potluck.learning.models.scoring import lent, mode_of
from potluck.tasks import catalog
from potluck.tasks.rules import over

_IN_PYTHON = "# made in Python\n"


class Plan:
    """What is to be learnt, what is protected from whom, and at what privacy cost.

    `Plan.read(path)` reads TOML; `Plan(name=..., federation={...}, ...)` takes the same names as the tables. A plan
    does not change: `set` gives another one.

    Raises:
        PlanError: a key is unknown, missing or of the wrong kind.

    Examples:
        >>> import potluck
        >>> plan = potluck.Plan(
        ...     name="people", purpose="How old people are", task="statistics",
        ...     federation={"sites": ["north", "south"]}, protect={"with": "clear"}, privacy={"noise": "none"},
        ...     data={"columns": {"age": {"kind": "number", "low": 0, "high": 120}}},
        ...     statistics=[{"name": "age", "kind": "mean", "column": "age"}],
        ... )
        >>> plan
        Plan('people', task='statistics', with='clear')
    """

    def __init__(  # noqa: PLR0913 - the arguments are the tables of a plan, by their own names
        self,
        *,
        name: str,
        purpose: str,
        task: str,
        federation: Toml,
        privacy: Toml,
        protect: Toml | None = None,
        version: int = 1,
        data: Toml | None = None,
        model: Toml | None = None,
        training: Toml | None = None,
        statistics: Sequence[Toml] | None = None,
        predict: Toml | None = None,
        align: Toml | None = None,
        fit: Toml | None = None,
        synthesize: Toml | None = None,
        evaluate: Toml | None = None,
        permit: Toml | None = None,
    ) -> None:
        given = {
            "version": version, "name": name, "purpose": purpose, "task": task, "federation": federation,
            "data": data, "model": model, "training": training, "protect": protect, "privacy": privacy,
            "statistics": statistics, "predict": predict, "align": align, "fit": fit,
            "synthesize": synthesize,
            "evaluate": evaluate, "permit": permit,
        }  # fmt: skip
        tables = {key: value for key, value in given.items() if value is not None}
        self.source = f"{_IN_PYTHON}{json.dumps(tables, indent=1, default=str)}\n"
        self.overrides: tuple[str, ...] = ()
        self._adopt(tables, Path.cwd(), "plan")

    def _adopt(self, tables: Toml, folder: Path, where: str, text: Lined | None = None) -> None:
        spec = judged(_known(filled(parse(tables, where, text), tables), folder, where), tables, folder, where)
        start = begun(spec, folder, where)
        if start is not None and start.graph is None:
            self.spec: core.Plan = with_first(spec, start, where)
        else:
            self.spec = with_file(spec, folder, where, start.graph.content if start and start.graph else None)
        self._start = start
        self.tables = tables
        self.folder = folder
        self.where = where

    @classmethod
    def read(cls, path: str | Path, settings: Sequence[str] = (), folder: Path | None = None) -> "Plan":
        """The plan in a TOML file, or in what a run keeps of one that was made in Python.

        Args:
            path: of the file.
            settings: `key=value`, put over it, as `--set` of the verbs.
            folder: where the files lie that it names, if not beside it.

        Raises:
            UsageError: there is no such file, or it cannot be read.
            PlanError: a key is unknown, missing or of the wrong kind.

        Examples:
            >>> from importlib.resources import files
            >>> import potluck
            >>> plan = potluck.Plan.read(files("potluck") / "demo" / "heart.toml", ["training.rounds=5"])
            >>> plan.spec.training.rounds
            5
        """
        path = Path(path)
        source = read_text(path)
        made = source.startswith(_IN_PYTHON)
        tables = read_toml(source, path.name) if not made else _tables(source, path.name)
        for setting in settings:
            tables = override(tables, setting)
        plan = cls.__new__(cls)
        plan.source, plan.overrides = source, tuple(settings)
        plan._adopt(
            tables,
            folder.resolve() if folder else path.resolve().parent,
            path.name,
            None if made else Lined(source, tuple(settings)),
        )
        return plan

    @classmethod
    def from_frames(
        cls,
        frames: Mapping[str, object],
        target: str | None = None,
        person: str | None = None,
        dictionary: str | Path | None = None,
    ) -> "Plan":
        """A first plan from owners' rows, as `potluck init` drafts it: `print(plan.source)` shows it with its comments,
        which say what comes from the rows and is to be confirmed.

        Args:
            frames: by site a frame, an array or a path, as `run` takes them.
            target: the column to predict, without which the plan makes a table.
            person: the column that says whose row it is.
            dictionary: a data dictionary, as `potluck.columns_from` reads it, for kinds and ranges.

        Raises:
            UsageError: frames are not given by site, or there is no such column.
            DataError: rows cannot be read.

        Examples:
            >>> import pandas as pd
            >>> import potluck
            >>> rows = pd.DataFrame({"age": [40, 50, 60, 70, 80] * 10, "died": ["yes", "no"] * 25})
            >>> plan = potluck.Plan.from_frames({"north": rows, "south": rows}, target="died")
            >>> plan
            Plan('died', task='train', with='mask')
            >>> "confirm" in plan.source
            True
        """
        from potluck.api.draft.begin import from_frames

        plan = cls.__new__(cls)
        plan.source, plan.overrides = from_frames(frames, target, person, dictionary), ()
        plan._adopt(read_toml(plan.source, "plan"), Path.cwd(), "plan")
        return plan

    def set(self, key: str, value: object) -> "Plan":
        """A new plan with another value of one key (dotted); this one stays as it is.

        Args:
            key: of a table or of a value in it, as in the plan's file: `"protect.with"`.
            value: what a plan's file may say there. A table replaces the whole of the old one.

        Raises:
            PlanError: there is no such key, or the value cannot be.

        Examples:
            >>> import potluck
            >>> plan = potluck.Plan(
            ...     name="people", purpose="How many rows there are", task="statistics",
            ...     federation={"sites": ["north", "south"]}, protect={"with": "clear"}, privacy={"noise": "none"},
            ...     data={"columns": {"age": {"kind": "number", "low": 0, "high": 120}}},
            ...     statistics=[{"name": "rows", "kind": "count"}],
            ... )
            >>> plan.set("protect.with", "he")
            Plan('people', task='statistics', with='he')
            >>> plan
            Plan('people', task='statistics', with='clear')
        """
        other = Plan.__new__(Plan)
        other.source, other.overrides = self.source, (*self.overrides, f"{key}={inline(value)}")
        other._adopt(replaced(self.tables, tuple(key.split(".")), value), self.folder, self.where)
        return other

    @property
    def hash(self) -> str:
        """`sha256:...` over every key but where files lie; a model is in by its digest."""
        return "sha256:" + core.digest(self.spec).hex()

    def problems(self, now: datetime | None = None) -> tuple[list[str], list[str]]:
        """(errors, warnings): everything that keeps this plan from running as promised, and what to mind. now: as of
        `require`."""
        errors, warnings = catalog.check(self.spec)
        if not errors and now is not None:
            errors = over(self.spec, now)
        if not errors and self._start is not None and not patterned(self.spec):
            errors = unlike(self.spec, self._start)
        return errors, warnings

    def fits(self, spec: core.Plan) -> None:
        """What could not be compared before column patterns were resolved. spec: the plan with its columns by name.

        Raises PlanError: they do not fit the graph, or the model that the plan starts from.
        """
        if patterned(self.spec) and spec.sent:
            errors = [
                *(fits(spec) if spec.drawn else ()),
                *(unlike(spec, self._start) if self._start is not None else ()),
            ]
            self._raise(errors)

    def require(self, now: datetime | None = None) -> list[str]:
        """The warnings. now: when rows would be used, with its time zone; None: they will not be. Raises PlanError with
        the first error."""
        errors, warnings = self.problems(now)
        self._raise(errors)
        return warnings

    def _raise(self, errors: Sequence[str]) -> None:
        if errors:
            what, _, hint = errors[0].partition(". hint: ")
            raise PlanError(what, where=self.where, hint=hint)

    def text(self) -> str:
        """The plan's text as run: the file as written, then the overrides as comments."""
        return self.source + "".join(f"# --set {setting}\n" for setting in self.overrides)

    def values(self) -> dict[str, object]:
        """Every key in force, defaults filled in."""
        return dict(msgspec.to_builtins(core.bare(self.spec)))

    def __repr__(self) -> str:
        return f"Plan({self.spec.name!r}, task={self.spec.task!r}, with={self.spec.protect.scheme!r})"


def opened(plan: Plan | str | Path, settings: Sequence[str] = ()) -> Plan:
    """A plan, or the one in a file with settings put over it. Raises UsageError, PlanError."""
    if isinstance(plan, Plan):
        if settings:
            raise UsageError("settings are for the file of a plan, not for a Plan", hint="plan.set(KEY, VALUE)")
        return plan
    if isinstance(plan, str | Path):
        return Plan.read(plan, settings)
    raise UsageError(f"a plan or its path, not {type(plan).__name__}", hint="potluck.Plan.read(PATH)")


def kept(text: str, overrides: tuple[str, ...], spec: core.Plan) -> Plan:
    """A plan that was judged before, as a journal keeps it: its files need not be there any more.

    text: as `Plan.text` gave it; spec: with the model or weights that it begins with.
    """
    plan = Plan.__new__(Plan)
    plan.source, plan.overrides = text.removesuffix("".join(f"# --set {one}\n" for one in overrides)), overrides
    plan.spec, plan.tables, plan.folder, plan.where, plan._start = spec, {}, Path(), spec.name, None
    return plan


def _tables(source: str, where: str) -> Toml:
    """The tables of a plan that was made in Python, as a run's folder has them. Lines of settings stand behind them."""
    try:
        tables, _ = json.JSONDecoder().raw_decode(source.removeprefix(_IN_PYTHON))
    except ValueError:
        raise PlanError("its JSON cannot be read", where=where) from None
    return dict(tables)


def _known(plan: core.Plan, folder: Path, where: str) -> core.Plan:
    """A plan that predicts, with the digest of its model and the mode that fits it, where the file is here.

    Raises UsageError: it is no model, a broken one, or one that no protection scores with; PlanError: it is not the one
    that `model.digest` names.
    """
    if not plan.traits.scores or plan.model is None or plan.predict is None or plan.model.file is None:
        return plan
    path = folder / plan.model.file
    if not path.exists():
        return plan
    model = lent(Model.read(path), str(path), plan.predict.mode)
    digest = model.digest()
    if plan.model.digest not in (None, digest):
        hint = f"this file's is {digest}"
        raise PlanError("model.digest: is not that of model.file", where=where, hint=hint)
    mode = plan.predict.mode or ("batch" if plan.protect.facts.computes and not model.card.whole else mode_of(model))
    return msgspec.structs.replace(
        plan,
        model=msgspec.structs.replace(plan.model, digest=digest),
        predict=msgspec.structs.replace(plan.predict, mode=mode),
    )
