"""The best plan as a file: the user's own text with the chosen values in it, and a head that says where they are from.

Only values change, so comments stay, such as ranges that are to be confirmed. Where that does not give the very plan
that is meant (a value over several lines, a plan that was made in Python), all of it is written anew without them.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from os.path import relpath
from pathlib import Path
from textwrap import wrap

import tomli_w

from potluck.api.plan import toml
from potluck.api.plan.grammar import Toml, pair, replaced
from potluck.api.plan.plan import Plan
from potluck.api.tune.cost import Cost
from potluck.api.tune.tuned import BEST, FILE, Result
from potluck.core import private
from potluck.core.visible import visible
from potluck.learning.graph.bases import FOLDER
from potluck.tasks.here import Json

WIDE = 118
LEDGERS = "ledger"
"""Where a run looks for ledgers, beside its plan."""
Change = tuple[tuple[str, ...], object]
"""A key by its parts, and its value."""


def best(plan: Plan, chosen: Result, cost: Cost, held: Path, folder: Path) -> Json:
    """Write the best plan into the folder, and give what the JSON says of it. plan: as its author wrote it; held: where
    the ledgers lie. Its run finds them, and frozen weights, where they are: beside a plan is beside this one too."""
    one, split, beside = chosen.candidate, plan.spec.data.split, dict[str, Path]()
    of = f"Settings that `potluck tune` chose from {cost.trainings + cost.done} candidates by validation rows"
    found = [f"{of}: {one.words} ({chosen.metric} {chosen.value:.4g}; the candidates are in {FILE} beside this file)."]
    if cost.usual:
        found.append("The rows that chose train this plan's model again: only its test rows have judged nothing yet.")
    elif split is not None:
        found.append("Without data.split.validation its validation rows would train its model too.")
    if cost.noisy:
        epsilon = plan.spec.privacy.epsilon
        found.append(
            f"To run it costs epsilon {epsilon:g} once more, in the same ledgers: `{LEDGERS}` here leads to them."
        )
        beside[LEDGERS] = held
    if plan.spec.model is not None and plan.spec.model.base is not None:
        beside[FOLDER] = plan.folder / FOLDER
    for name, where in beside.items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(relpath(where.resolve(), folder.resolve()))
    private.write(folder / BEST, text(plan, one.settings, folder, found))
    return {"number": one.number, "settings": dict(one.settings), "value": chosen.value, "file": str(folder / BEST)}


def text(plan: Plan, settings: Mapping[str, object], folder: Path, said: Sequence[str]) -> str:
    """The plan with these settings, as TOML, to lie in `folder`. said: sentences for its head."""
    changes = [(tuple(key.split(".")), value) for key, value in settings.items()]
    before = [pair(one, "--set", "") for one in plan.overrides]
    changes = [*before, *changes, *_moved(plan, folder)]
    wanted = plan.tables
    for path, value in changes:
        wanted = replaced(wanted, path, value)
    head = "".join(f"# {line}\n" for one in said for line in wrap(visible(one), WIDE))
    kept = _edited(plan.source, changes)
    body = kept if _read(kept) == wanted else tomli_w.dumps(_plain(wanted))
    return f"{head}\n{body}"


def _moved(plan: Plan, folder: Path) -> Iterator[Change]:
    """Files that the plan names relative to its own folder, as they are named from another one."""

    def seen(path: tuple[str, ...], value: object) -> Iterator[Change]:
        if isinstance(value, str) and not Path(value).is_absolute() and (plan.folder / value).exists():
            yield path, Path(relpath(plan.folder / value, folder)).as_posix()

    tables = plan.tables
    for name, value in _table(_table(tables, "data"), "files").items():
        yield from seen(("data", "files", name), value)
    for name in _table(_table(tables, "data"), "columns"):
        column = _table(_table(_table(tables, "data"), "columns"), name)
        yield from seen(("data", "columns", name, "tokenizer"), column.get("tokenizer"))
    for table, key in (("model", "graph"), ("model", "start"), ("protect", "policy")):
        yield from seen((table, key), _table(tables, table).get(key))


def _table(of: Mapping[str, object], name: str) -> Toml:
    found = of.get(name)
    return found if isinstance(found, Mapping) else {}


def _edited(source: str, changes: Sequence[Change]) -> str:
    """The text with these values in the lines of their keys, or in new lines at the heads of their tables."""
    lines = source.splitlines()
    for (*tables, key), value in changes:
        head = f"[{'.'.join(map(toml.key, tables))}]"
        begins = next((at for at, line in enumerate(lines) if line.partition("#")[0].strip() == head), None)
        if begins is None:
            lines += ["", head]
            begins = len(lines) - 1
        rest = lines[begins + 1 :]
        ends = next((at for at, line in enumerate(rest, begins + 1) if line.lstrip().startswith("[")), len(lines))
        line, name = f"{toml.key(key)} = {toml.value(value)}", re.escape(toml.key(key))
        at = next((at for at in range(begins + 1, ends) if re.match(rf"\s*{name}\s*=", lines[at])), None)
        if at is None:
            lines.insert(begins + 1, line)
        else:
            comment = re.search(r"\s+#[^\"']*$", lines[at])
            lines[at] = line + (comment.group() if comment else "")
    return "\n".join(lines) + "\n"


def _read(source: str) -> Toml | None:
    try:
        return tomllib.loads(source)
    except tomllib.TOMLDecodeError:
        return None


def _plain(table: Toml) -> dict[str, object]:
    """A table without what TOML cannot say: keys that are None."""
    return {
        key: _plain(value) if isinstance(value, Mapping) else value for key, value in table.items() if value is not None
    }
