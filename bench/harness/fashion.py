"""Fashion-MNIST (Xiao, Rasul, Vollgraf 2017, MIT licence): 60,000 pictures of clothes to learn from, 10,000 to test."""

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import fetched

CLASSES = 10

Pictures = NDArray[np.uint8]
Labels = NDArray[np.int64]


def pictures(part: str) -> tuple[Pictures, Labels]:
    """([n, 28, 28], [n]) of "train" or "t10k". Raises fetched.Missing."""
    folder = fetched.fashion()
    images = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    found = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28)
    return found, np.frombuffer(labels, np.uint8, offset=8).astype(np.int64)


def scaled(some: Pictures) -> NDArray[np.float32]:
    """[n, 1, 28, 28] on [-1, 1], as a plan's column of images with low 0 and high 255 has them."""
    return (some / 127.5 - 1).astype(np.float32)[:, None]


def evenly(labels: Labels, sites: int, seed: int) -> list[Labels]:
    """Places of each site's pictures: as many for each, drawn alike."""
    return list(np.array_split(np.random.default_rng(seed).permutation(len(labels)), sites))


def unevenly(labels: Labels, sites: int, alpha: float, seed: int) -> list[Labels]:
    """Each class is parted among the sites by shares from a Dirichlet distribution (Hsu et al. 2019)."""
    draw = np.random.default_rng(seed)
    parts: list[list[Any]] = [[] for _ in range(sites)]
    for kind in range(CLASSES):
        places = draw.permutation(np.flatnonzero(labels == kind))
        cuts = (np.cumsum(draw.dirichlet([alpha] * sites))[:-1] * len(places)).astype(int)
        for into, some in zip(parts, np.split(places, cuts), strict=True):
            into.append(some)
    return [np.concatenate(some) for some in parts]


def written(folder: Path, some: Pictures, labels: Labels) -> Path:
    """A folder of PNG files and the table that names them."""
    from PIL import Image

    (folder / "pictures").mkdir(parents=True)
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("image", "kind"))
        for place, (picture, label) in enumerate(zip(some, labels, strict=True)):
            name = f"pictures/{place}.png"
            Image.fromarray(picture).save(folder / name, compress_level=1)
            rows.writerow((name, f"k{label}"))
    return folder / "rows.csv"
