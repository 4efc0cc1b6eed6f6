"""An additive model as data: a curve for each encoded feature, how it scores, and what of it cannot be.

A row's margin is `first` and, for each feature, what its curve says of the bin where the row lies. A curve of a number
has `model.bins` steps, of equal width over the declared range; that of a feature of 0 and 1 is what 1 adds. Bins are
those of `boosted.layout`, so that rows lie in the same ones when a model is trained and when it scores; a row whose
number is missing lies in none of that number's. Reference: Lou, Caruana, Gehrke, "Intelligible Models for
Classification and Regression", KDD 2012.
"""

import math
from collections.abc import Iterator

import msgspec
import numpy as np

from potluck.core.stages import Floats
from potluck.learning.data.encode import Encoding
from potluck.learning.models.boosted.layout import Layout, binned

MOST_BINS = 256


class Curve(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """values [outputs][bins]: what each bin adds to each output's margin, log-odds or scaled; of a feature of 0 and 1
    one value, which 1 adds."""

    feature: str
    values: tuple[tuple[float, ...], ...]


class Curves(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """first [outputs]: of all rows; curves: one a feature, in the encoding's order."""

    first: tuple[float, ...]
    curves: tuple[Curve, ...]

    @property
    def bins(self) -> int:
        """Of a number; also of a model that cannot be."""
        return max((2, *(len(values) for one in self.curves for values in one.values)))

    @property
    def weights(self) -> Floats:
        """[outputs, cells] what each cell of the layout adds."""
        return np.array([
            [first, *(value for one in self.curves for value in one.values[output])]
            for output, first in enumerate(self.first)
        ])  # fmt: skip


def margins(weights: Floats, how: Layout, features: Floats) -> Floats:
    """weights [k, cells], features [n, p] -> [n, k]; NaN where a feature is NaN."""
    row, cell = how.places(features)
    found = [np.bincount(row, weights=one[cell], minlength=len(features)) for one in weights]
    total = np.column_stack(found) if found else np.zeros((len(features), 0))
    total[np.isnan(features).any(axis=1)] = np.nan
    return np.asarray(total, dtype=np.float64)


def curves_of(how: Layout, weights: Floats) -> Curves:
    """weights [k, cells] as curves."""
    parts = zip(how.names, how.starts.tolist(), how.widths.tolist(), strict=True)
    return Curves(
        first=tuple(weights[:, 0].tolist()),
        curves=tuple(
            Curve(feature=name, values=tuple(tuple(one) for one in weights[:, start : start + width].tolist()))
            for name, start, width in parts
        ),
    )


def fault(found: Curves, how: Encoding, outputs: int) -> str:
    """The first thing that cannot be; empty where there is none."""
    return next(_faults(found, how, outputs), "")


def _faults(found: Curves, how: Encoding, outputs: int) -> Iterator[str]:
    if tuple(one.feature for one in found.curves) != how.names:
        yield "its curves are not those of its encoding's features"
        return
    if len(found.first) != outputs or any(len(one.values) != outputs for one in found.curves):
        yield "a curve has other outputs than its target"
        return
    widths = binned(how, found.bins).widths.tolist()
    if any(len(values) != width for one, width in zip(found.curves, widths, strict=True) for values in one.values):
        yield "its curves have several numbers of bins"
    if found.bins > MOST_BINS:
        yield f"a curve has 1 to {MOST_BINS} values"
    numbers = (*found.first, *(value for one in found.curves for each in one.values for value in each))
    if not all(map(math.isfinite, numbers)):
        yield "a number of it is not finite"
