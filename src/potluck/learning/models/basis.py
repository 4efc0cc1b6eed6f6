"""What a model's summary is computed from, as it stands in a file beside the model: sums that its run opened anyway.

Never in the model file, which says nothing of how it was trained and is the same whatever protected the sums. Whoever
reads the file knows the exact Gram matrix of all training rows: so it stays where the sums were opened, readable to its
owner alone. A run with noise, or by a method that opens no Gram matrix, leaves a file that says so, and no sum.
"""

from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from potluck.core.errors import UsageError, reason
from potluck.core.plan import NoiseWord, Plan, required
from potluck.core.schema import readable
from potluck.core.visible import json_text
from potluck.learning.data.declared import declared
from potluck.learning.models.fitted import Fitted, Sums, training
from potluck.learning.models.kinds import kind_of
from potluck.learning.models.linear import l2

FILE = "summary.json"
"""Its name, in the folder of the model file."""


class Basis(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """model: the digest of the model file that it stands beside; units: of columns, as the plan names them; converged:
    whether the fit had, None where that is not known; warnings: of the fit; sums: None where the run opened no Gram
    matrix; importances: by column, of a model that is boosted; iterates: averaged where the model is the mean of
    several, unset where it is the last; class_weights, local: as of the plan, unset where it has none."""

    format: Literal["potluck summary 1"] = "potluck summary 1"
    model: str
    method: str
    l2: float
    noise: NoiseWord
    units: dict[str, str]
    converged: bool | None
    warnings: tuple[str, ...]
    sums: Sums | None
    importances: dict[str, float] | msgspec.UnsetType = msgspec.UNSET
    iterates: Literal["averaged"] | msgspec.UnsetType = msgspec.UNSET
    class_weights: dict[str, float] | msgspec.UnsetType = msgspec.UNSET
    local: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET

    @property
    def notes(self) -> tuple[str, ...]:
        """What to mind of a model of any kind that was trained so."""
        found = []
        if self.class_weights:
            each = ", ".join(f"{name!r} {weight:g}" for name, weight in self.class_weights.items())
            found.append(
                f"rows counted by what they are ({each}, any other 1): probabilities, and an intercept, are of rows "
                "weighed so, and no shares of the rows as they are"
            )
        if self.local:
            named = ", ".join(self.local)
            found.append(
                f"weights that stay at each site ({named}) are here as they began: each owner's model has its own"
            )
        return tuple(found)

    def dump(self) -> bytes:
        """The file's bytes."""
        return json_text(msgspec.to_builtins(self)).encode()


def basis(plan: Plan, digest: str, fitted: Fitted) -> Basis | None:
    """What a plan's run leaves beside a model whose coefficients are summed up, or of which there is something to mind;
    None of others."""
    weights, local = training(plan).class_weights, required(plan.model).local
    counts = dict(fitted.importances(fitted.weights))
    if not (kind_of(plan).summed or weights or local or counts):
        return None
    units = {name: column.unit for name, column in declared(plan).items() if column.unit}
    return Basis(
        model=digest,
        method=training(plan).method,
        l2=l2(plan),
        noise=plan.privacy.noise,
        units=units,
        converged=fitted.converged,
        warnings=fitted.told,
        sums=fitted.curvature,
        importances=counts or msgspec.UNSET,
        iterates="averaged" if fitted.averaged else msgspec.UNSET,
        class_weights=dict(weights) or msgspec.UNSET,
        local=local or msgspec.UNSET,
    )


def read(folder: Path) -> Basis | None:
    """What lies in a folder; None where nothing does. Raises UsageError: it cannot be read, or is something else."""
    path = folder / FILE
    try:
        found = msgspec.json.decode(path.read_bytes(), type=readable(Basis))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot be read ({reason(error)})", where=str(path)) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise UsageError("is no summary of a model", where=str(path), hint="a run writes it beside its model") from None
    if found.sums is not None and not _square(found.sums):
        raise UsageError("is a broken summary of a model", where=str(path), hint="take it as the run wrote it")
    return found


def _square(sums: Sums) -> bool:
    length = len(sums.gram)
    finite = all(len(row) == length and np.isfinite(row).all() for row in sums.gram)
    told = [one for one in (sums.squares, sums.squares_error, sums.gram_error) if one is not None]
    bounded = sums.gram_error >= 0 and (sums.squares is None) == (sums.squares_error is None)
    return finite and bounded and sums.rows >= 0 and bool(np.isfinite(told).all()) and (sums.squares_error or 0) >= 0
