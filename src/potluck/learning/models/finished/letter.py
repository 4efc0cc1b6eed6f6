"""Finished models as one letter, which the server sends to whoever lacks them: their files, and nothing else.

A plan names each model by the SHA-256 of its file, and that file the one beside it: so what comes from elsewhere is
compared with a hash before a byte of it is read for what it says. Files are then read as anybody's are.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from potluck.core import private
from potluck.core.errors import GraphError, UsageError
from potluck.core.plan import Plan, required
from potluck.core.rounds import Abort
from potluck.core.slices import Sliced, digest_of
from potluck.core.wire import Message, dump, load
from potluck.learning.models.finished.finished import Finished, finished
from potluck.learning.models.model import GRAPH, WEIGHTS, Model

FILE = "model.json"
OTHER = "is another model than the plan names"


class OneModel(Message, frozen=True):
    """The bytes of a model's file, and of the file beside it: empty where there is none."""

    text: bytes
    beside: bytes


class Models(Message, frozen=True):
    """In the plan's order."""

    models: tuple[OneModel, ...]


def letter(plan: Finished) -> bytes:
    """The letter of a plan's models."""
    files = (one.files() for one in plan.models)
    return dump(Models(tuple(OneModel(text, b"".join(map(bytes, beside))) for text, beside in files)))


def with_models(plan: Plan, body: Sliced, folder: Path | None = None) -> Finished:
    """The plan with the models of a letter. folder: where this party keeps frozen weights; None: nowhere.

    Raises GraphError: they are others than the plan names, or none.
    """
    try:
        sent = load(body, Models).models
    except Abort:
        raise GraphError("is no letter of models", where="model.digests", hint="run the server's version") from None
    if tuple(digest_of(one.text) for one in sent) != required(plan.model).digests:
        raise GraphError(OTHER, where="model.digests", hint="take the plan's own files")
    return finished(plan, tuple(_read(one, () if folder is None else (folder,)) for one in sent))


def _read(one: OneModel, folders: tuple[Path, ...]) -> Model:
    with TemporaryDirectory(prefix="potluck-") as made:
        path = Path(made, FILE)
        private.write(path, one.text)
        for ending in (WEIGHTS, GRAPH) if one.beside else ():
            private.write(path.with_suffix(ending), one.beside)
        try:
            return Model.read(path, *folders)
        except UsageError as error:
            raise GraphError(error.what, where="model.digests", hint=error.hint) from None
