"""Reading the cells of a column of images (path, limits, digest, decoding, window, size), in processor time, by turns.

Beside it a plain loop that opens the same files with the formats' own libraries, scales and resizes them, and checks
nothing. Values are compared first. What files hold is made from a fixed draw.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.measure import Row, less
from potluck.core.plan import Column
from potluck.core.stages import Floats
from potluck.learning.data.column import Beside
from potluck.learning.data.files.store import Store
from potluck.learning.data.kinds.image import IMAGE

TURNS = 5


def rows() -> Iterator[Row]:
    """Small PNG files, pictures that are made smaller, and volumes."""
    for name, suffix, count, size, shape in (
        ("PNG of 28 x 28", "png", 2_000, (28, 28), (1, 28, 28)),
        ("PNG of 1024 x 1024, to 224 x 224", "png", 20, (1024, 1024), (1, 224, 224)),
        ("DICOM of 512 x 512, to 128 x 128", "dcm", 100, (512, 512), (1, 128, 128)),
        ("packed NIfTI of 128 x 128 x 32", "nii.gz", 6, (32, 128, 128), (1, 32, 128, 128)),
    ):
        with tempfile.TemporaryDirectory() as folder:
            names = _written(Path(folder), suffix, count, size)
            column = Column(kind="image", shape=shape, low=0, high=255)
            reader = IMAGE.reader
            assert reader is not None
            one = IMAGE.field("image", column)

            def ours(folder: str = folder, names: list[str] = names, one: Any = one, reader: Any = reader) -> Any:
                return reader(one, Beside(Store(Path(folder), 1 << 30), {})).read(names)

            def plain(folder: str = folder, names: list[str] = names, shape: tuple[int, ...] = shape) -> Any:
                return [_plain(Path(folder) / name, shape) for name in names]

            found = reader(one, Beside(Store(Path(folder), 1 << 30), {}))
            cells = found.cells(*(getattr(found.read(names), word) for word in ("held", "digests")))
            assert np.allclose(cells.take(np.arange(count)), np.stack(plain()), atol=1e-5)
            taken = [(_processor(ours), _processor(plain)) for _ in range(TURNS)]
            each = [1e3 * min(pair[side] for pair in taken) / count for side in (0, 1)]
            peer = {"png": "Pillow", "dcm": "pydicom and Pillow", "nii.gz": "nibabel"}[suffix]
            yield less(f"an image read, {name}, processor time", (each[0], each[1]), f"{peer}, a plain loop", "ms")


def _processor(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _written(folder: Path, suffix: str, count: int, size: tuple[int, ...]) -> list[str]:
    draw, names = np.random.default_rng(15), []
    for number in range(count):
        values = (draw.integers(0, 16, size) + np.arange(size[-1]) * 230 // size[-1]).astype(np.uint8)
        names.append(f"{number}.{suffix}")
        _write(folder / names[-1], values)
    return names


def _write(path: Path, values: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    if path.suffix == ".png":
        from PIL import Image

        Image.fromarray(values).save(path)
    elif path.suffix == ".dcm":
        from pydicom.dataset import FileDataset, FileMetaDataset
        from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = SecondaryCaptureImageStorage, ExplicitVRLittleEndian
        meta.MediaStorageSOPInstanceUID = generate_uid()
        found = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
        found.SOPClassUID, found.SOPInstanceUID = SecondaryCaptureImageStorage, meta.MediaStorageSOPInstanceUID
        found.SamplesPerPixel, found.PhotometricInterpretation = 1, "MONOCHROME2"
        found.Rows, found.Columns = values.shape
        found.BitsAllocated = found.BitsStored = 16
        found.HighBit, found.PixelRepresentation = 15, 0
        found.set_pixel_data(values.astype(np.uint16), "MONOCHROME2", 16)
        found.save_as(path, enforce_file_format=True)
    else:
        import nibabel

        nibabel.Nifti1Image(values.T, np.eye(4), dtype=np.uint8).to_filename(path)  # type: ignore[no-untyped-call]


def _plain(path: Path, shape: tuple[int, ...]) -> Floats:
    """A file as most training loops read it."""
    from PIL import Image

    if path.suffix == ".png":
        raw = np.asarray(Image.open(path), np.float32)
    elif path.suffix == ".dcm":
        import pydicom

        raw = pydicom.dcmread(path).pixel_array.astype(np.float32)
    else:
        import nibabel

        raw = np.asarray(nibabel.load(path).dataobj, np.float32).T  # type: ignore[attr-defined]
    values = np.clip(raw, 0, 255) / 127.5 - 1
    if values.shape != shape[1:]:
        values = np.asarray(Image.fromarray(values).resize((shape[2], shape[1]), Image.Resampling.BILINEAR))
    return values[None].astype(np.float64)
