"""Files of graphs, changed at random: in their bytes, and in what their headers say, spelt as a header is."""

import json
import struct
from collections.abc import Iterator
from random import Random
from typing import Any

from potluck.learning.graph.file import MAGIC

NUMBERS = (-1, 0, 1, 2, 3, 4, 7, 8, 16, 2**20, 2**31, 2**40, 2**63, 0.5, -1.5, 1e300, True, False, None)
WORDS = ("b", "", "float32", "float64", "int64", "bool", "float16", "tanh", "relu", "matmul", "softmax", "reshape")


def parts(data: bytes) -> tuple[Any, bytes]:
    """The header, and the tensors' bytes."""
    (length,) = struct.unpack_from("<Q", data, len(MAGIC))
    begin = len(MAGIC) + 8
    return json.loads(data[begin : begin + length]), data[begin + length :]


def joined(header: object, tensors: bytes) -> bytes:
    """The file of a header, spelt as this program spells it."""
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    return MAGIC + struct.pack("<Q", len(text)) + text + tensors


def mutated(random: Random, data: bytes) -> bytes:
    """One file, changed in one to three places."""
    if random.random() < 0.25:
        return _bytes(random, data)
    header, tensors = parts(data)
    for _ in range(random.randint(1, 3)):
        _changed(random, header)
    return joined(header, tensors)


def _bytes(random: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.randint(1, 3)):
        i = random.randrange(min(len(changed), 4_000))
        what = random.random()
        if what < 0.6:
            changed[i] = random.randrange(256)
        elif what < 0.8:
            del changed[i : i + random.randint(1, 9)]
        else:
            changed[i:i] = bytes(random.randrange(256) for _ in range(random.randint(1, 9)))
        if not changed:
            break
    return bytes(changed)


def _changed(random: Random, header: Any) -> None:
    """One change: of a value anywhere, or of the nodes' order and number, or of an operation."""
    what = random.random()
    nodes = header.get("nodes")
    if what < 0.55 or not isinstance(nodes, list) or len(nodes) < 2:
        places = list(_places(header))
        if places:
            holder, key = random.choice(places)
            holder[key] = _other(random, header, holder[key])
    elif what < 0.65:
        del nodes[random.randrange(len(nodes))]
    elif what < 0.75:
        i, j = random.randrange(len(nodes)), random.randrange(len(nodes))
        nodes[i], nodes[j] = nodes[j], nodes[i]
    elif what < 0.85:
        node = random.choice(nodes)
        if isinstance(node, dict) and isinstance(node.get("args"), list) and node["args"]:
            args = node["args"]
            i = random.randrange(len(args))
            random.choice((lambda: args.pop(i), lambda: args.append(args[i]), lambda: args.reverse()))()
    else:
        first, second = random.choice(nodes), random.choice(nodes)
        if isinstance(first, dict) and isinstance(second, dict):
            key = random.choice(("op", "args", "out", "kw"))
            if key in first and key in second:
                first[key], second[key] = second[key], first[key]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Where a header holds a value that is no table or list, and short lists."""
    pairs: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in pairs:
        if isinstance(one, dict | list):
            yield from _places(one)
            if len(one) <= 4:
                yield value, key
        else:
            yield value, key


def _other(random: Random, header: Any, old: object) -> object:
    """Another value, of the same kind as often as not."""
    what = random.random()
    if isinstance(old, str) and what < 0.6:
        names = [one["v"] for one, _ in _places(header) if isinstance(one, dict) and isinstance(one.get("v"), str)]
        return random.choice([*names, *WORDS])
    if type(old) is int and what < 0.7:
        return random.choice((old + 1, old - 1, old * 2, -old, {"b": old}, random.choice(NUMBERS)))
    if isinstance(old, list) and what < 0.7:
        shuffled = list(old)
        random.shuffle(shuffled)
        return random.choice((shuffled, old[:-1], [*old, *old], []))
    return random.choice((*NUMBERS, *WORDS, [], {}, {"v": "x"}, {"b": 1}, {"d": "float64"}, {"t": "none"}))
