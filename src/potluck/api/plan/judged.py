"""The finished models that a plan judges: read from the files that it names, and the columns that they take."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from potluck.api.plan.grammar import Toml
from potluck.core.errors import PlanError
from potluck.core.plan import Plan as Spec
from potluck.learning.graph.bases import FOLDER
from potluck.learning.models.finished.columns import filled
from potluck.learning.models.finished.finished import files_of, finished
from potluck.learning.models.model import Model

FILES = "one file, or several as files = [...]"


def judged(spec: Spec, tables: Toml, folder: Path, where: str) -> Spec:
    """A plan with its models, their digests, and the columns that they take; as it is where it judges none, or their
    files are not here. tables: as its author wrote it.

    Raises UsageError: a file is no model, or a broken one; PlanError: it is not the one that the plan's digest names.
    """
    given = spec.model
    if not spec.traits.brings or given is None:
        return spec
    if given.file is not None and given.files:
        raise PlanError("model.files: the plan names model.file too", where=where, hint=FILES)
    files = files_of(spec)
    named = (given.digest,) if given.digest is not None else given.digests
    file = None if given.file is None else _whole(folder, given.file)
    several = tuple(_whole(folder, one) for one in given.files)
    known = msgspec.structs.replace(given, file=file, files=several, digest=None, digests=named)
    if not files or not all((folder / one).exists() for one in files):
        return msgspec.structs.replace(spec, model=known)
    models = tuple(Model.read(folder / one, folder / FOLDER) for one in files)
    digests = tuple(one.digest() for one in models)
    if named and named != digests:
        key = "model.digest" if given.digest is not None else "model.digests"
        hint = f"these files' are {', '.join(digests)}"
        raise PlanError(f"{key}: is not that of the models here", where=where, hint=hint)
    data = tables.get("data")
    whole = filled(spec, models, data if isinstance(data, Mapping) else {})
    return finished(msgspec.structs.replace(whole, model=msgspec.structs.replace(known, digests=digests)), models)


def _whole(folder: Path, file: str) -> str:
    """Where a file is, wherever somebody asks."""
    return str((folder / file).resolve())
