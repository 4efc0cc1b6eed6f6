"""Files as other programs write them: NumPy, nibabel, pydicom, Pillow, and PNG by hand."""

import gzip
import io
import struct
import zlib

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid


def png(values, colour=0, depth=8, more=b""):
    """A PNG file of values [h, w] or [h, w, c], by hand: chunks, and lines that are not filtered."""
    height, width = values.shape[:2]
    lines = values.astype(">u2" if depth == 16 else "u1").reshape(height, -1)
    raw = b"".join(b"\0" + line.tobytes() for line in lines)
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + more + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def chunk(name, body):
    """One chunk of a PNG file."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def jpeg(values, **options):
    """A JPEG file, by Pillow."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(values).save(out, "JPEG", **options)
    return out.getvalue()


def npy(values):
    """A .npy file, by NumPy."""
    out = io.BytesIO()
    np.save(out, values, allow_pickle=False)
    return out.getvalue()


def nifti(values, slope=None, intercept=None, packed=False, kind=None):
    """A NIfTI-1 file of values [x, y, z], by nibabel. slope: as the header has it, the values being the stored ones."""
    import nibabel

    image = nibabel.Nifti1Image(values, np.eye(4), dtype=kind or values.dtype)
    data = bytearray(image.to_bytes())
    if slope is not None:
        struct.pack_into("<2f", data, 112, slope, intercept)
    return gzip.compress(bytes(data), mtime=0) if packed else bytes(data)


def dicom(values, syntax=ExplicitVRLittleEndian, photometric="MONOCHROME2", stored=None, change=None):
    """A DICOM file, by pydicom. values [h, w], [frames, h, w], or [h, w, 3] of RGB. change: of the data set."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SecondaryCaptureImageStorage, generate_uid("1.2.3.")
    meta.TransferSyntaxUID = syntax
    found = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    found.SOPClassUID, found.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    found.PatientName = "Nobody^At All"
    colour = photometric == "RGB"
    found.SamplesPerPixel, found.PhotometricInterpretation = (3 if colour else 1), photometric
    if colour:
        found.PlanarConfiguration = 0
    space = values.shape[:2] if colour else values.shape[-2:]
    found.Rows, found.Columns = space
    if values.ndim == 3 and not colour:
        found.NumberOfFrames = len(values)
    bits = 8 * values.dtype.itemsize
    found.BitsAllocated, found.BitsStored = bits, stored or bits
    found.HighBit, found.PixelRepresentation = found.BitsStored - 1, int(values.dtype.kind == "i")
    found.PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)
    found["PixelData"].VR = "OW" if bits > 8 else "OB"
    if change:
        change(found)
    out = io.BytesIO()
    found.save_as(out, enforce_file_format=True)
    return out.getvalue()
