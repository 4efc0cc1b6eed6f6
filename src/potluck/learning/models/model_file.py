"""The file of a model: what it holds, and what of a file cannot be.

It is canonical JSON (sorted keys, no times, no paths, no protection named), so that equal plans give equal bytes
however their sums were protected. A network's weights lie beside it in safetensors; the JSON holds their SHA-256, so
that the digest of the JSON names the whole model; a graph with its weights lies beside it likewise, as .graph. Trees
are in the JSON. Nothing is ever unpickled.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from potluck.core import private
from potluck.core.errors import UsageError
from potluck.core.schema import readable
from potluck.core.stages import Floats
from potluck.learning.data.encode import Encoding
from potluck.learning.data.target import Goal
from potluck.learning.models.boosted import curves, forest
from potluck.learning.models.boosted.curves import Curves
from potluck.learning.models.boosted.forest import Forest
from potluck.learning.models.card import Card, fault
from potluck.learning.models.kinds import MODELS

HINT = "give model.json as `run` wrote it"


Coefficients = Mapping[str, float | dict[str, float]]
"""By feature, the intercept with them; of several classes by class and feature."""


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """A network's shape, and the SHA-256 of its weights file."""

    layers: tuple[int, ...]
    activation: Literal["relu", "tanh", "square"]
    weights: str = ""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """What a model file holds. coefficients: of encoded features (linear and logistic), of several classes those of
    each; graph: the SHA-256 of the file of a network that is a graph."""

    format: Literal["potluck model 1", "potluck simulated model 1"] = "potluck model 1"
    kind: str
    encoding: Encoding
    target: Goal
    coefficients: dict[str, float | dict[str, float]] | None = None
    network: Network | None = None
    forest: Forest | msgspec.UnsetType = msgspec.UNSET
    curves: Curves | msgspec.UnsetType = msgspec.UNSET
    graph: str | msgspec.UnsetType = msgspec.UNSET

    @property
    def boosted(self) -> bool:
        """Whether it is made of what was boosted, and of no weights."""
        return bool(self.forest or self.curves)


class _Kind(msgspec.Struct, frozen=True):
    """What any model file says first."""

    kind: object = None


def opened(path: str | Path) -> File:
    """What a file holds. Raises UsageError: no such file, no model, one of another version, or a broken one."""
    where = str(path)
    try:
        body = private.read(Path(path))
        kind = msgspec.json.decode(body, type=readable(_Kind)).kind
        if isinstance(kind, str) and kind not in MODELS.entries:
            what = f"is a model of kind {kind[:20]!r}, which is not in this version"
            raise UsageError(what, where=where, hint=f"models of these kinds predict here: {', '.join(MODELS.words())}")
        whole = msgspec.json.decode(body, type=readable(File))
    except FileNotFoundError:
        raise UsageError("no such model file", where=where, hint=HINT) from None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        raise UsageError("is no model file", where=where, hint=HINT) from None
    card = card_of(whole.kind, whole.encoding, whole.target, whole.network, bool(whole.graph), whole.curves or None)
    wrong = fault(card) or _boosted(whole)
    if wrong:
        raise UsageError(f"is a broken model file: {wrong}", where=where, hint=HINT)
    return whole


def coefficients(whole: File, where: str) -> Floats:
    """[d] those of a file, the intercept first, class by class. Raises UsageError: they do not fit what is beside."""
    given, names = whole.coefficients or {}, ("intercept", *whole.encoding.names)
    classes = whole.target.classes if whole.target.side == "classes" else ()
    each: list[object] = [given.get(name) for name in classes] if set(given) == set(classes) else [given]
    found = list[float]()
    for one in each:
        if not isinstance(one, dict) or set(one) != set(names):
            raise UsageError("its coefficients do not fit its encoding", where=where)
        found += [value for value in map(one.get, names) if isinstance(value, float)]
    if len(found) != max(1, len(classes)) * len(names):
        raise UsageError("its coefficients do not fit its target", where=where)
    return np.array(found)


def card_of(kind: str, how: Encoding, goal: Goal, network: Network | None, drawn: bool, made: Curves | None) -> Card:
    """The model without its weights."""
    if network is None:
        return Card(kind=kind, encoding=how, target=goal, drawn=drawn, bins=made.bins if made else 0)
    return Card(kind=kind, encoding=how, target=goal, layers=network.layers, activation=network.activation, drawn=drawn)


def _boosted(whole: File) -> str:
    """What of its trees or curves cannot be; empty where there is nothing, or none where none belong."""
    how, holds = (whole.encoding, whole.target.outputs), MODELS.of(whole.kind).holds
    if [name for name in ("forest", "curves") if getattr(whole, name)] != ([holds] if holds else []):
        return "its trees or curves, or what else it has, are not what its kind is made of"
    if whole.curves:
        return curves.fault(whole.curves, *how)
    return forest.fault(whole.forest, *how) if whole.forest else ""
