"""Operations of private prediction: CKKS keys, encryption, and a network evaluated on ciphertexts.

Parameters come from `he/predict/levels.py`, programs from `he/predict/circuit.py`. Rescaling is manual, so that
rotations and sums are done at the squared scale, where a key switch costs no precision. A rescaling divides by a prime
that is not quite the scale: what is left is measured when the context is opened, and weights are divided by it.

The state holds one context, and for it either the client's key pair or the owner's model and the client's public keys.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import openfhe
from numpy.typing import NDArray
from openfhe import BINARY

from potluck.engines.frames import OpError
from potluck.engines.openfhe import ckks_contexts as contexts
from potluck.engines.openfhe.blobs import deserialise, serialise

Floats = NDArray[np.float64]
State = dict[str, Any]


def open_context(state: State, text: bytes) -> list[bytes]:
    """text: JSON of depth, ring, scale, first, digits, digit. Opens and tests the context; nothing if it is open."""
    if state.get("text") == text:
        return []
    state.clear()
    openfhe.ClearEvalMultKeys()
    wanted = json.loads(text)
    context = contexts.made(wanted)
    slots = wanted["ring"] // 2
    pair = context.KeyGen()
    state["ratios"] = contexts.selftest(context, pair, slots, wanted["depth"])
    context.ClearEvalAutomorphismKeys()
    openfhe.ClearEvalMultKeys()
    state |= {"text": text, "context": context, "slots": slots, "depth": wanted["depth"]}
    return []


def keygen(state: State, multiply: bytes) -> list[bytes]:
    """A fresh key pair: its public key, and where `multiply` is 1 the key for products."""
    context = _opened(state)
    pair = context.KeyGen()
    state["secret"] = pair.secretKey
    bodies = [serialise(pair.publicKey)]
    if multiply == b"\1":
        context.EvalMultKeyGen(pair.secretKey)
        bodies.append(openfhe.SerializeEvalMultKeyString(BINARY, pair.secretKey.GetKeyTag()))
        openfhe.ClearEvalMultKeys()
    return bodies


def turnkeys(state: State, text: bytes) -> list[bytes]:
    """text: JSON list of rotations -> the keys for them."""
    context, secret = _opened(state), _held(state, "secret")
    context.EvalRotateKeyGen(secret, [int(turn) for turn in json.loads(text)])
    body = openfhe.SerializeEvalAutomorphismKeyString(BINARY, secret.GetKeyTag())
    context.ClearEvalAutomorphismKeys()
    return [body]


def encrypt(state: State, level: bytes, values: bytes) -> list[bytes]:
    """values: float64 [c, slots], each within [-1, 1] -> c ciphertexts at a level, under the SECRET key: less noise."""
    context, secret = _opened(state), _held(state, "secret")
    rows = _matrix(values, state["slots"])
    if not bool((np.abs(rows) <= 1).all()):
        raise OpError("a value is not within [-1, 1]")
    plains = (contexts.encoded(context, row, level[0]) for row in rows)
    return [serialise(context.Encrypt(secret, plain)) for plain in plains]


def decrypt(state: State, *ciphertexts: bytes) -> list[bytes]:
    """c ciphertexts -> float64 [c, slots]."""
    context, secret = _opened(state), _held(state, "secret")
    boxes = [deserialise(body, openfhe.DeserializeCiphertextString) for body in ciphertexts]
    return [np.stack([contexts.values_of(context, secret, box, state["slots"]) for box in boxes]).tobytes()]


def accept(state: State, public: bytes) -> list[bytes]:
    """The client's public key. Forgets whatever keys were here."""
    _opened(state).ClearEvalAutomorphismKeys()
    openfhe.ClearEvalMultKeys()
    state["public"] = deserialise(public, openfhe.DeserializePublicKeyString)
    state.pop("home", None)
    return []


def accept_products(state: State, body: bytes) -> list[bytes]:
    """The client's key for products."""
    _held(state, "public")
    deserialise(body, openfhe.DeserializeEvalMultKeyString)
    return []


def accept_turns(state: State, *keys: bytes) -> list[bytes]:
    """More of the client's keys for rotations."""
    _held(state, "public")
    for body in keys:
        deserialise(body, openfhe.DeserializeEvalAutomorphismKeyString)
    return []


@dataclass(slots=True)
class _Layer:
    """A layer as it is evaluated. vectors: encoded diagonals (single). weights, bias: as numbers (batch).

    masked: by number of rows, the last layer of a batch as vectors that are zero beyond these rows.
    """

    level: int
    folds: list[int]
    babies: int
    activation: str
    series: list[float]
    weights: Floats
    bias: Floats
    vectors: list[Any] = field(default_factory=list)
    shift: Any = None
    masked: dict[int, tuple[list[list[Any]], list[Any]]] = field(default_factory=dict)


def model(state: State, text: bytes, *buffers: bytes) -> list[bytes]:
    """text: JSON of mode, start and layers (shape, babies, folds, activation, levels, series), counts of rows.

    buffers: a layer's weights, float64 of its shape, and its bias. Encodes everything that does not depend on rows.
    """
    context = _opened(state)
    wanted = json.loads(text)
    if len(buffers) != 2 * len(wanted["layers"]):
        raise OpError("not two buffers a layer")
    layers, level, ratio = [], int(wanted["start"]), 1.0
    for index, said in enumerate(wanted["layers"]):
        gain = 1 / (ratio * state["ratios"][level])
        weights = np.frombuffer(buffers[2 * index], np.float64).reshape(said["shape"]) * gain
        bias = np.frombuffer(buffers[2 * index + 1], np.float64)
        if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
            raise OpError("a weight is not a number")
        layer = _Layer(level, said["folds"], said["babies"], said["activation"], said["series"], weights, bias)
        if wanted["mode"] == "single":
            layer.vectors = [_ready(context, row, level) for row in weights]
            layer.shift = _ready(context, bias, level + 1)
        layers.append(layer)
        level += 1
        ratio = state["ratios"][level] if layer.activation == "square" else 1.0
        level += said["levels"]
    state |= {"model": layers, "mode": wanted["mode"]}
    state.pop("home", None)
    if wanted["mode"] == "batch":
        for count in wanted["counts"]:
            _mask(state, layers[-1], count)
    return []


def _ready(context: Any, values: Floats, level: int) -> Any:
    """Encoded and transformed: otherwise every use of it would transform a copy."""
    plain = contexts.encoded(context, values, level)
    plain.SetFormat(openfhe.Format.EVALUATION)
    return plain


def _mask(state: State, layer: _Layer, count: int) -> tuple[list[list[Any]], list[Any]]:
    """The last layer of a batch with weights in the first `count` slots and zeros beyond."""
    if count not in layer.masked:
        context, mask = state["context"], (np.arange(state["slots"]) < count).astype(np.float64)
        rows = [[_ready(context, w * mask, layer.level) for w in row] for row in layer.weights]
        shifts = [_ready(context, b * mask, layer.level + 1) for b in layer.bias]
        layer.masked[count] = (rows, shifts)
    return layer.masked[count]


def score(state: State, count: bytes, *ciphertexts: bytes) -> list[bytes]:
    """single: each ciphertext is a row -> a ciphertext each. batch: one block -> a ciphertext an output.

    count: rows in the block (u32, little-endian). Each reply has a fresh encryption of zero added.
    """
    context, layers, public = _opened(state), _held(state, "model"), _held(state, "public")
    if "home" not in state:
        state["home"] = _home(context, public.GetKeyTag(), layers[0].level)
    boxes = []
    for body in ciphertexts:
        box = deserialise(body, openfhe.DeserializeCiphertextString)
        if (box.GetLevel(), box.GetNoiseScaleDeg()) != (layers[0].level, 1) or len(box.GetElements()) != 2:
            raise OpError("a ciphertext of another level")
        boxes.append(context.EvalAdd(state["home"], box))
    if state["mode"] == "single":
        scores = [_single(context, layers, box) for box in boxes]
    else:
        if len(boxes) != layers[0].weights.shape[1]:
            raise OpError("not one ciphertext a feature")
        scores = _batch(state, layers, boxes, int.from_bytes(count, "little"))
    zeros = np.zeros(state["slots"])
    bodies = []
    for one in scores:
        zero = context.Encrypt(public, context.MakeCKKSPackedPlaintext(zeros, 1, one.GetLevel()))
        bodies.append(serialise(context.EvalAdd(one, zero)))
    return bodies


def _home(context: Any, tag: str, level: int) -> Any:
    """Zero, made here, to which what was read is added: every operation on bytes just read copies ten times slower."""
    ones = context.Encrypt(context.KeyGen().publicKey, context.MakeCKKSPackedPlaintext(np.ones(1), 1, level))
    zero = context.EvalSub(ones, ones)
    zero.SetKeyTag(tag)
    return zero


def _single(context: Any, layers: Sequence[_Layer], box: Any) -> Any:
    for layer in layers:
        total = _turned_sum(context, layer, box)
        for stride in layer.folds:
            total = context.EvalAdd(total, context.EvalRotate(total, stride))
        box = _active(context, layer, context.EvalAdd(context.Rescale(total), layer.shift))
    return box


def _turned_sum(context: Any, layer: _Layer, box: Any) -> Any:
    """Diagonals by baby steps and giant steps: babies share one decomposition, giants turn whole sums."""
    turned = [box]
    if layer.babies > 1:
        digits, order = context.EvalFastRotationPrecompute(box), 2 * context.GetRingDimension()
        turned += [context.EvalFastRotation(box, step, order, digits) for step in range(1, layer.babies)]
    total = None
    for start in range(0, len(layer.vectors), layer.babies):
        pieces = zip(turned, layer.vectors[start : start + layer.babies], strict=True)
        inner = _sum(context, [context.EvalMult(one, vector) for one, vector in pieces])
        inner = context.EvalRotate(inner, start) if start else inner
        total = inner if total is None else context.EvalAdd(total, inner)
    return total


def _sum(context: Any, pieces: list[Any]) -> Any:
    total = pieces[0]
    for piece in pieces[1:]:
        context.EvalAddInPlace(total, piece)
    return total


def _batch(state: State, layers: Sequence[_Layer], boxes: list[Any], count: int) -> list[Any]:
    context = state["context"]
    for layer in layers[:-1]:
        sums = [_weighted(context, boxes, row) for row in layer.weights]
        moved = [context.EvalAdd(context.Rescale(one), float(b)) for one, b in zip(sums, layer.bias, strict=True)]
        boxes = [_active(context, layer, one) for one in moved]
    rows, shifts = _mask(state, layers[-1], count)
    scores = []
    for vectors, shift in zip(rows, shifts, strict=True):
        total = _sum(context, [context.EvalMult(box, vector) for box, vector in zip(boxes, vectors, strict=True)])
        scores.append(context.EvalAdd(context.Rescale(total), shift))
    return scores


def _weighted(context: Any, boxes: Sequence[Any], weights: Floats) -> Any:
    return _sum(context, [context.EvalMult(box, float(weight)) for box, weight in zip(boxes, weights, strict=True)])


def _active(context: Any, layer: _Layer, box: Any) -> Any:
    if layer.activation == "square":
        return context.Rescale(context.EvalSquare(box))
    if layer.activation == "series":
        series = np.trim_zeros(np.array(layer.series), "b")  # with a last term of 0 it may take a level more
        return context.EvalChebyshevSeries(box, [2 * series[0], *series[1:]], -1.0, 1.0)
    return box


def _opened(state: State) -> Any:
    return _held(state, "context")


def _held(state: State, what: str) -> Any:
    if what not in state:
        raise OpError(f"there is no {what}")
    return state[what]


def _matrix(body: bytes, columns: int) -> Floats:
    if not body or len(body) % (8 * columns):
        raise OpError("not whole rows of slots")
    return np.frombuffer(body, np.float64).reshape(-1, columns)


OPS: dict[str, Callable[..., list[bytes]]] = {
    "ckks.open": open_context,
    "ckks.keygen": keygen,
    "ckks.turnkeys": turnkeys,
    "ckks.encrypt": encrypt,
    "ckks.decrypt": decrypt,
    "ckks.accept": accept,
    "ckks.accept_products": accept_products,
    "ckks.accept_turns": accept_turns,
    "ckks.model": model,
    "ckks.score": score,
}
