"""A trained model: what predicts, on raw rows, and the file that says so (`models.model_file`)."""

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core import private
from potluck.core.errors import UsageError
from potluck.core.plan import Plan, required
from potluck.core.slices import Bytes, digest_of
from potluck.core.stages import Floats
from potluck.learning.data.encode import Encoding, encoding, filled, gapped, with_means
from potluck.learning.data.mixed import Inputs as Taken
from potluck.learning.data.mixed import with_features
from potluck.learning.data.rows import Inputs, inputs, layout_of
from potluck.learning.data.source import Source, names_of
from potluck.learning.data.target import TWO_SIDED, Goal, goal_of, scores
from potluck.learning.data.texts import held
from potluck.learning.data.texts.worded import Tokenizers, tokenizers_of
from potluck.learning.graph.bases import FOLDER
from potluck.learning.models import layers
from potluck.learning.models.boosted import curves, forest
from potluck.learning.models.boosted.curves import Curves
from potluck.learning.models.boosted.forest import Forest
from potluck.learning.models.boosted.layout import binned
from potluck.learning.models.card import Card
from potluck.learning.models.graph_beside import read_graph
from potluck.learning.models.graph_model import GraphModel, refuse
from potluck.learning.models.graphs import held_of, most_to_score, network_of, trained_of
from potluck.learning.models.kinds import MODELS, kind_of
from potluck.learning.models.linear import margins
from potluck.learning.models.model_file import Coefficients, File, Network, card_of, coefficients, opened

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from potluck.learning.models.boosted.told import Boosted
    from potluck.learning.models.summary import Summary

WEIGHTS, GRAPH = ".safetensors", ".graph"
"""What the file beside a model file ends in."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A trained model: it predicts on raw rows, as the plan's files have them.

    Attributes:
        kind: such as "logistic".
        encoding: how raw rows become features.
        target: what is predicted.
        weights: [d], the intercept, then a coefficient a feature, of classes those of each in turn; of a network layer
            by layer, matrix then bias; of trees, curves and a graph none.
        network, forest, graph, curves: what else it is made of, each of its kinds.
        beside: the folder of its file, where it was read from one.
        tokenizers: of its columns of texts.
        simulated: it comes of a simulation, and of no run.

    Examples:
        >>> from importlib.resources import files
        >>> import potluck
        >>> plan = potluck.Plan.read(files("potluck") / "demo" / "heart.toml").set("training.rounds", 2)
        >>> model = potluck.run(plan, ledger="ledger").model
        >>> model
        Model('logistic', target='num', from 18 features)
        >>> list(model.coefficients)[:3]
        ['intercept', 'age', 'sex=0']
    """

    kind: str
    encoding: Encoding
    target: Goal
    weights: Floats = field(repr=False)
    network: Network | None = None
    forest: Forest | None = field(default=None, repr=False)
    graph: GraphModel | None = field(default=None, repr=False)
    beside: Path | None = field(default=None, repr=False)
    tokenizers: Tokenizers = field(default_factory=dict, repr=False)
    simulated: bool = False
    curves: Curves | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"Model({self.kind!r}, target={self.target.column!r}, from {len(self.encoding.names)} features)"

    @property
    def card(self) -> Card:
        """The model without its weights."""
        return card_of(self.kind, self.encoding, self.target, self.network, bool(self.graph), self.curves)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of each layer of a network of layers; of a linear model its one layer."""
        return self.card.shapes

    @property
    def coefficients(self) -> Coefficients:
        """intercept and a coefficient an encoded feature; of several classes these of each, which add up to 0 over the
        classes; empty for a network and for trees."""
        if self.network or self.boosted or self.graph:
            return {}
        names = ("intercept", *self.encoding.names)
        each = [dict(zip(names, one, strict=True)) for one in self.weights.reshape(self.target.outputs, -1).tolist()]
        return dict(zip(self.target.classes, each, strict=True)) if self.target.side == "classes" else each[0]

    @property
    def columns(self) -> tuple[str, ...]:
        """What each score of a row is called."""
        return self.target.scores

    @property
    def taken(self) -> tuple[str, ...]:
        """The names [q] of the features that a file for other programs takes: of trees and curves none that says that a
        column has no value, which is NaN there."""
        names = self.encoding.names
        return tuple(names[place] for place in self.encoding.gapped) if self.boosted else names

    @property
    def boosted(self) -> Forest | Curves | None:
        """The trees or curves that it is made of."""
        return self.forest or self.curves

    @property
    def summed(self) -> bool:
        """Whether `summary` says what its coefficients mean."""
        return MODELS.of(self.kind).summed

    def margins(self, features: Taken) -> Floats:
        """features [n, p], or rows n with tensors -> [n, outputs]: log-odds, class logits, or the number on its scale.

        Of a linear model a row's has the same bytes wherever the row stands: a row that is taken away moves no other.
        """
        refuse(self.target)
        features = self._whole(features)
        if self.graph:
            return self.graph.margins(features)
        assert isinstance(features, np.ndarray)  # tensors are for graphs alone: see the plan's check, and the card's
        if self.network:
            return layers.forward(self.weights, features, self.shapes, self.network.activation)
        if self.curves:
            return curves.margins(self.curves.weights, binned(self.encoding, self.curves.bins), features)
        if self.forest:
            return forest.margins(self.forest, self.encoding, features, self.target.outputs)
        return margins(self.weights.reshape(self.target.outputs, -1), features)

    def _whole(self, features: Taken) -> Taken:
        """With no gap that the encoding fills: rows of a site have them until a model says what with."""
        return with_features(features, lambda plain: filled(self.encoding, plain))

    def scored_features(self, features: Taken) -> Floats:
        """As `margins` -> [n]: probability of positive, or the number in its own units, or of a language model the mean
        loss of a row's next tokens; [n, K] for classes, and for labels."""
        if not self.target.apart:
            return required(self.graph).mean_losses(self.target.column, self._whole(features))
        found = scores(self.target, self.margins(features))
        return found[:, 0] if self.target.outputs == 1 else found

    def inputs(self, frame: Source, known_by: str | None = None) -> Inputs:
        """Raw rows (a frame, an array, a CSV file) as features [n, p], and what became of their values. known_by: the
        column that says which row is which.

        Without a header, columns are as in the plan's files, with or without the target. Raises DataError.
        """
        return inputs(self.encoding, self._layout(frame), frame, "rows", self.tokenizers, known_by)

    def features(self, frame: Source) -> Floats:
        """What another program takes of raw rows (`taken`) [n, q]: the features alone, of trees and curves NaN where a
        column has no value; rows that the plan drops are NaN. Raises as `inputs`."""
        found = self.inputs(frame).features
        return gapped(self.encoding, found) if self.boosted else found

    def _layout(self, frame: Source) -> tuple[str, ...] | None:
        """The column order of a source that does not name the wanted columns, where the plan's files had no header."""
        wanted = {one.name for one in self.encoding.fields}
        present = names_of(frame, "rows", self.encoding.limits)
        named = wanted <= set(present)
        if not self.encoding.layout or named or (isinstance(frame, np.ndarray) and len(present) == len(wanted)):
            return None
        return layout_of(self.encoding, self.target.names, frame, "rows")

    def scores(self, frame: Source) -> Floats:
        """Raw rows -> [n] probability or number, [n, K] of classes or labels. NaN: a row that the plan would drop."""
        return self.scored_inputs(self.inputs(frame))

    def scored_inputs(self, rows: Inputs) -> Floats:
        """The same of rows that were read."""
        found = self.scored_features(rows.taken)
        found[~rows.kept] = np.nan
        return found

    def predict_proba(self, frame: Source) -> Floats:
        """Raw rows -> [n, 2] or [n, K] probabilities, as scikit-learn orders them; of labels each one's being positive.
        Raises UsageError: regression."""
        refuse(self.target)
        if self.target.side == "number":
            raise UsageError("a regression has no probabilities", hint="use predict")
        found = self.scores(frame)
        return found if found.ndim == 2 else np.column_stack([1 - found, found])

    def predict(self, frame: Source) -> NDArray[np.generic]:
        """Raw rows -> [n] 0 or 1 (1: positive), class names, or numbers in the target's own units; [n, K] of labels.

        NaN: a row the plan would drop; then the 0 and 1 are floats, and the class names objects.
        """
        refuse(self.target)
        found = self.scores(frame)
        if self.target.side == "number":
            return found
        gone = np.isnan(found if found.ndim == 1 else found[:, 0])
        if self.target.side in TWO_SIDED:
            sides = np.asarray(found >= 0.5, dtype=np.int64)
            return np.where(np.isnan(found), np.nan, sides) if gone.any() else sides
        named = np.asarray([self.target.classes[place] for place in found.argmax(axis=1)], dtype=object)
        named[gone] = np.nan
        return named if gone.any() else named.astype(np.str_)

    def scored(self, frame: Source) -> tuple[tuple[str, ...], tuple[tuple[float | str, ...], ...]]:
        """Raw rows -> (column names, a tuple a row): what `potluck score` writes. A row with no score is empty."""
        return self.written(self.inputs(frame))

    def written(self, rows: Inputs) -> tuple[tuple[str, ...], tuple[tuple[float | str, ...], ...]]:
        """The same of rows that were read."""
        found = self.scored_inputs(rows)
        table = found if found.ndim == 2 else found[:, None]
        return self.columns, tuple(tuple("" if math.isnan(v) else v for v in row) for row in table.tolist())

    def files(self) -> tuple[bytes, tuple[Bytes, ...]]:
        """The model file's bytes, and those of the file beside it (weights of layers, or a graph), in parts that
        follow each other."""
        body: tuple[Bytes, ...] = ()
        network = self.network
        if network:
            body, state = layers.dump(self.weights, self.shapes), hashlib.sha256()
            for part in body:
                state.update(part)
            network = msgspec.structs.replace(network, weights=state.hexdigest())
        if self.graph:
            body = (self.graph.content,)
        whole = File(
            format="potluck simulated model 1" if self.simulated else "potluck model 1",
            kind=self.kind,
            encoding=self.encoding,
            target=self.target,
            coefficients=dict(self.coefficients) or None,
            network=network,
            forest=self.forest or msgspec.UNSET,
            curves=self.curves or msgspec.UNSET,
            graph=digest_of(self.graph.content) if self.graph else msgspec.UNSET,
        )
        text = msgspec.json.format(msgspec.json.encode(whole, order="sorted"), indent=1)
        return text + b"\n", body

    def digest(self) -> str:
        """sha256:... of the model file's bytes."""
        return digest_of(self.files()[0])

    def write(self, path: str | Path) -> None:
        """Write the model file, readable by its owner alone; beside it a network's weights, as .safetensors, or
        its graph, as .graph, and the tokenizers of its texts, by their hashes."""
        text, body = self.files()
        private.write(Path(path), text)
        if body:
            private.write(Path(path).with_suffix(GRAPH if self.graph else WEIGHTS), *body)
        held.write(Path(path).parent, self.tokenizers)

    @classmethod
    def read(cls, path: str | Path, *folders: Path, simulated: bool = False) -> "Model":
        """The model of a file; folders: where frozen weights of a graph may be too; simulated: also one of a
        simulation. Raises UsageError: no such file, no model, a broken one, or not its weights."""
        where, whole = str(path), opened(path)
        words = held.of(whole.encoding, (Path(path).parent, Path(path).parent / FOLDER, Path(FOLDER)))
        beside = Path(path).with_suffix(GRAPH)
        graph = read_graph(beside, whole.graph, whole.encoding, whole.target, words, folders) if whole.graph else None
        if whole.network is not None:
            weights = layers.read(Path(path).with_suffix(WEIGHTS), whole.network.weights)
        elif whole.boosted or graph is not None:
            weights = np.zeros(0)
        else:
            weights = coefficients(whole, where)
        network = msgspec.structs.replace(whole.network, weights="") if whole.network else None
        made, here = whole.format != "potluck model 1", Path(path).parent
        if made and not simulated:
            raise UsageError(
                "is of a simulation, and no run's", where=where, hint="train it in a run; or score with it"
            )
        parts = (weights, network, whole.forest or None, graph, here, words, made)
        model = cls(whole.kind, whole.encoding, whole.target, *parts, whole.curves or None)
        if network and len(weights) != layers.size(model.shapes):
            raise UsageError("its weights do not fit its layers", where=where)
        if not np.isfinite(weights).all():
            raise UsageError("a weight of it is not finite", where=where, hint="train it again, at a lower rate")
        return model

    def summary(self) -> "Summary | Boosted":
        """Coefficients in the data's units, odds ratios of a logistic model, standard errors where the run left them
        beside the file; of trees and curves what they are made of. Raises UsageError: a network, or what lies beside it
        is broken."""
        from potluck.learning.models import basis
        from potluck.learning.models.boosted.told import told
        from potluck.learning.models.summary import summary

        if self.boosted is not None:
            known = basis.read(self.beside) if self.beside is not None else None
            return told(self.digest(), (self.kind, self.encoding, self.target), self.boosted, known)
        if not self.summed:
            what = f"a model of kind {self.kind} has no coefficients to sum up"
            having = ", ".join(word for word, one in MODELS.entries.items() if one.summed)
            hint = f"models of these kinds have: {having}"
            if self.graph is not None:
                hint = "potluck model summary MODEL says what its graph is made of"
            raise UsageError(what, where=str(self.beside or ""), hint=hint)
        known = basis.read(self.beside) if self.beside is not None else None
        return summary(self.digest(), self.kind, self.weights, self.encoding, self.target, known)

    def to_sklearn(self) -> "Pipeline":
        """A fitted scikit-learn pipeline with the same predictions. Raises UsageError: none for this model."""
        from potluck.learning.models.export import pipeline

        return pipeline(self)


def word(plan: Plan) -> str:
    """The kind of model that a plan names."""
    return required(required(plan.model).kind)


def model(plan: Plan, weights: Floats, *, own: bool = False) -> Model:
    """The model that a plan trains, with these weights, and behind them the means that fill gaps, where it has such
    columns. own: a site's own, weights that stay at it behind the others; else those are as in the graph's file."""
    spec, kind, how = required(plan.model), kind_of(plan), encoding(plan)
    if count := len(how.averaged):
        weights, how = weights[:-count], with_means(how, weights[-count:])
    if kind.made is not None:
        made, what = kind.made(plan, weights), (word(plan), how, goal_of(plan), np.zeros(0))
        return Model(*what, forest=made) if isinstance(made, Forest) else Model(*what, curves=made)
    if plan.drawn:
        trained = (*trained_of(plan), *held_of(plan)) if own else trained_of(plan)
        whole = GraphModel(network_of(plan), most_to_score(plan)).moved(weights, trained)
        words = tokenizers_of(plan)
        return Model(word(plan), how, goal_of(plan), np.zeros(0), graph=whole, tokenizers=words)
    network = Network(layers=spec.layers, activation=spec.activation) if kind.deep else None
    return Model(word(plan), how, goal_of(plan), weights, network)
