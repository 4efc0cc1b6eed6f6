"""A round that trains across processes, 3 sites, under `mask`: a ResNet, and MiniLM with adapters (LoRA).

Beside it stock Flower with the same module, rows, batches and rate, and the floor: the sites' steps alone, a process
of plain PyTorch each. MiniLM's weights are frozen, held by each site and named by their hash; its rows are texts, which
sites make tokens of. The others get the tokens.
"""

import csv
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness import fashion, fetched, modules, plain_rounds
from harness.deployment import Deployed, carried_out
from harness.measure import Row, less
from harness.network_plan import PICTURES, RATE, TEXTS, Shape, Wish, written
from peers import flower_deployed

SITES, WARM, TURNS = 3, 1, 2
PLAIN = "the sites' steps alone in plain PyTorch (floor)"


def rows(rounds: int = 4) -> Iterator[Row]:
    """The ResNet, then MiniLM."""
    yield from _beside("ResNet of 175,000 weights, 192 pictures a site", "residual", PICTURES, 192, rounds, "")
    try:
        weights = str(fetched.minilm())
    except fetched.Missing as why:
        print(f"training_rounds: no row of MiniLM: {why}", file=sys.stderr, flush=True)
        return
    yield from _beside("MiniLM with LoRA of 111,000 weights, 32 texts a site", "minilm", TEXTS, 32, rounds, weights)


def _beside(name: str, what: str, shape: Shape, count: int, rounds: int, weights: str) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="potluck-bench-") as temp:
        room = Path(temp)
        held = _held(room, shape, count, weights)
        turns = [
            (
                _ours(room, what, shape, rounds, weights),
                statistics.median(plain_rounds.seconds(what, weights, held, shape.batch, RATE, rounds)),
                _flower(what, weights, room / "rows", shape.batch, rounds),
            )
            for _ in range(TURNS)
        ]
    done = turns[0][0]
    ours = min(statistics.median(one.seconds) for one, _, _ in turns)
    floor = min(seconds for _, seconds, _ in turns)
    flower = [seconds for _, _, seconds in turns if seconds is not None]
    said = f"round over the network, {SITES} sites, {name}, mask"
    yield less(f"{said}: plain", (ours, floor), PLAIN, "s")
    floats = 4 * sum(one.numel() for one in modules.made(what, weights).parameters() if one.requires_grad)
    sent = done.sent(SITES)
    yield less(f"{said}, a site sends: floats", (sent, floats), "its weights as 32-bit floats (floor)", "B")
    if flower:
        yield less(f"{said}: peer", (ours, min(flower)), flower_deployed.trainer(), "s")


def _ours(rows: Path, what: str, shape: Shape, rounds: int, weights: str) -> Deployed:
    names = {f"s{place}": str(rows / f"s{place}" / "rows.csv") for place in range(SITES)}
    wish = Wish(shape, names, rounds + WARM, "mask", Path(weights) if weights else None)
    with tempfile.TemporaryDirectory(prefix="potluck-bench-") as temp:
        return carried_out(written(Path(temp), modules.made(what, weights), wish), WARM)


def _flower(what: str, weights: str, rows: Path, batch: int, rounds: int) -> float | None:
    try:
        return statistics.median(flower_deployed.training(what, weights, rows, batch, RATE, rounds))
    except flower_deployed.Missing as why:
        print(f"training_rounds: no row beside Flower: {why}", file=sys.stderr, flush=True)
        return None


def _held(room: Path, shape: Shape, count: int, weights: str) -> list[Path]:
    """Each site's rows, as the files that ours reads, and as one file of arrays for the others."""
    (room / "rows").mkdir()
    found = []
    for place in range(SITES):
        draw = np.random.default_rng((15, place))
        labels = draw.integers(0, shape.classes, count)
        if shape is PICTURES:
            some = draw.integers(0, 256, (count, 28, 28)).astype(np.uint8)
            fashion.written(room / f"s{place}", some, labels)
            x = fashion.scaled(some)
        else:
            x = _texts(room / f"s{place}", draw, count, weights, labels)
        found.append(room / "rows" / f"{place}.npz")
        np.savez(found[-1], x=x, y=labels)
    return found


def _texts(folder: Path, draw: np.random.Generator, count: int, weights: str, labels: Any) -> Any:
    """Texts of forty words at random as a site's table; [n, 32] their first tokens, by the tokenizer's own library."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(weights).with_name("tokenizer.json")))
    words = sorted(word for word in tokenizer.get_vocab() if word.isascii() and word.isalpha())
    texts = [" ".join(words[place] for place in draw.integers(0, len(words), 40)) for _ in range(count)]
    folder.mkdir()
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(("note", "kind"))
        out.writerows((text, f"k{label}") for text, label in zip(texts, labels, strict=True))
    tokenizer.enable_truncation(modules.TOKENS)
    tokenizer.no_padding()
    return np.array([one.ids for one in tokenizer.encode_batch(texts)])
