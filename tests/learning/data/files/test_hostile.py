"""Damaged and hostile files: a clear error, or numbers within the bounds; and no memory beyond them."""

import gzip
import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from potluck.learning.data.files import dicom_elements, pictures
from potluck.learning.data.files.fit import picture
from potluck.learning.data.files.formats import decoded
from potluck.learning.data.files.raster import MOST_BYTES, MOST_NUMBERS, Unreadable
from support.files import written

GREY = (np.arange(35) * 7 % 256).astype("u1").reshape(5, 7)
WIDE = (np.arange(35) * 701 % 4096).astype("u2").reshape(5, 7)
SEEDS = {
    "png": written.png(GREY),
    "png of a palette": written.png(GREY % 2, 3, 8, written.chunk(b"PLTE", bytes(6))),
    "jpeg": written.jpeg(GREY),
    "progressive jpeg": written.jpeg(np.stack([GREY] * 3, 2), progressive=True),
    "npy": written.npy(WIDE),
    "nifti": written.nifti(WIDE, 1, 0),
    "packed nifti": written.nifti(WIDE, 1, 0, packed=True),
    "dicom": written.dicom(WIDE, stored=12),
    "implicit dicom": written.dicom(WIDE, ImplicitVRLittleEndian),
    "deflated dicom": written.dicom(WIDE, DeflatedExplicitVRLittleEndian),
    "dicom in runs": written.dicom(WIDE, change=lambda one: one.compress(RLELossless)),
}
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of damaged files


def mutated(data, draw):
    """A file with some bytes changed, left out, put in twice, or cut off."""
    out = bytearray(data)
    for _ in range(draw.integers(1, 4)):
        at = int(draw.integers(0, len(out) or 1))
        # Mostly near the start, where headers are.
        at = at if draw.random() < 0.5 else at % 64 if draw.random() < 0.5 else min(at, len(out) - 1)
        match int(draw.integers(0, 6)):
            case 0:
                out[at : at + 1] = bytes([int(draw.integers(0, 256))])
            case 1:
                out[at : at + 1] = bytes([int(draw.choice([0, 1, 127, 128, 255]))])
            case 2:
                width = int(draw.choice([2, 4]))
                out[at : at + width] = draw.choice([b"\xff" * width, b"\0" * width, b"\x7f" + b"\xff" * (width - 1)])
            case 3:
                del out[at : at + int(draw.integers(1, 9))]
            case 4:
                out[at:at] = out[at : at + int(draw.integers(1, 33))]
            case _:
                del out[at + 1 :]
    return bytes(out) if draw.random() < 0.5 else checked(bytes(out))


def checked(data):
    """A PNG file whose sums of bytes are right, so that its damage is looked into; another file as it is."""
    if not data.startswith(b"\x89PNG"):
        return data
    out, at = data[:8], 8
    while len(data) - at >= 12:
        length = min(struct.unpack(">I", data[at : at + 4])[0], len(data) - at - 12)
        out += written.chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
        at += 12 + length
    return out


@pytest.mark.parametrize("kind", SEEDS)
def test_a_mutated_file_gives_a_clear_error_or_numbers_within_the_bounds(kind):
    draw, read = np.random.default_rng(list(SEEDS).index(kind)), 0
    for _ in range(250):
        try:
            found = picture(decoded(mutated(SEEDS[kind], draw)), (1, 4, 4), 0, 4095)
        except Unreadable as error:
            assert str(error).isprintable()
            continue
        read += 1
        assert found.values.shape == (1, 4, 4)
        assert np.abs(found.values).max() <= 1
    assert read < 250  # some were found to be damaged
    assert picture(decoded(SEEDS[kind]), (1, 4, 4), 0, 4095).numbers in (35, 105)


def refused(data, said, most=1 << 20):
    """The file is refused in these words, within so many bytes beside itself."""
    tracemalloc.start()
    try:
        with pytest.raises(Unreadable, match=said):
            decoded(data)
        assert tracemalloc.get_traced_memory()[1] < most + len(data)
    finally:
        tracemalloc.stop()


def test_a_png_of_100_000_pixels_square_is_refused_by_its_header():
    packed = zlib.compress(bytes(1000))
    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    refused(b"\x89PNG\r\n\x1a\n" + written.chunk(b"IHDR", head) + written.chunk(b"IDAT", packed), "more than")


def test_a_png_whose_text_is_a_bomb_is_not_unpacked():
    bomb = zlib.compress(bytes(64 << 20), 9)
    for name, body in {
        b"zTXt": b"a\0\0" + bomb,
        b"iTXt": b"a\0\1\0\0\0" + bomb,
        b"iCCP": b"a\0\0" + bomb,
    }.items():
        data = written.png(GREY, more=written.chunk(name, body))
        tracemalloc.start()
        try:
            found = decoded(data)
            assert np.array_equal(found.values[0], GREY)
        except Unreadable:
            pass
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
        tracemalloc.stop()


def test_profiles_and_texts_of_a_png_file_are_not_looked_into(monkeypatch):
    from PIL import PngImagePlugin

    looked_into = []
    for name in ("chunk_iCCP", "chunk_zTXt", "chunk_iTXt", "chunk_tEXt", "chunk_eXIf"):
        monkeypatch.setattr(
            PngImagePlugin.PngStream,
            name,
            lambda png, at, length, name=name: looked_into.append(name) or png.fp.read(length),
        )
    more = b"".join(written.chunk(name, b"a\0\0" + zlib.compress(b"b")) for name in (b"iCCP", b"zTXt", b"eXIf"))
    data = written.png(GREY, more=more)
    assert np.array_equal(decoded(data).values[0], GREY)
    assert looked_into == []
    Image.open(io.BytesIO(data)).load()
    assert looked_into  # Pillow by itself does


@pytest.mark.parametrize("kind", ["png", pytest.param("jpeg", marks=pytest.mark.slow)])
def test_a_picture_of_very_many_pieces_is_refused(kind):
    data = {
        "png": written.png(GREY, more=written.chunk(b"prVt", b"") * (pictures.MOST_PIECES + 1)),
        "jpeg": SEEDS["jpeg"][:2] + b"\xff\xe1\0\2" * (pictures.MOST_PIECES + 1) + SEEDS["jpeg"][2:],
    }[kind]
    refused(data, "damaged", 32 << 20)


def test_a_png_file_without_its_palette_or_its_end_is_refused():
    whole = SEEDS["png of a palette"]
    start = whole.index(b"PLTE") - 4
    for data in (whole[:start] + whole[start + 18 :], whole[:-12]):
        with pytest.raises(Unreadable, match="damaged"):
            decoded(data)


def test_a_jpeg_of_65_500_pixels_square_is_refused_by_its_header():
    data = bytearray(written.jpeg(GREY))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 65_500, 65_500)
    refused(bytes(data), "more than")


def test_a_jpeg_of_very_many_scans_is_refused():
    data = written.jpeg(np.stack([GREY] * 3, 2), progressive=True)
    at = data.index(b"\xff\xda")
    scan = data[at : data.index(b"\xff", at + 2)]
    refused(data[:at] + scan * 200 + data[at:], "scans")


def test_what_programs_add_to_a_jpeg_file_is_not_looked_into(monkeypatch):
    from PIL.JpegImagePlugin import JpegImageFile

    looked_into = []
    monkeypatch.setattr(JpegImageFile, "getexif", lambda image: looked_into.append(image.info["exif"]))
    data = written.jpeg(np.stack([GREY, GREY, 255 - GREY], 2))
    length = 4 + int.from_bytes(data[4:6], "big")
    start = data[:2] + data[2 + length - 2 :]  # without JFIF, which says a resolution
    note = b"\xff\xe1" + struct.pack(">H", 2 + 6 + 9) + b"Exif\0\0" + bytes(9)
    noted = start[:2] + note * 5000 + b"\xff\xfe\0\4ab\xff" + start[2:]
    found = decoded(noted)
    assert looked_into == []
    assert np.array_equal(found.values, np.moveaxis(np.asarray(Image.open(io.BytesIO(start))), 2, 0))
    Image.open(io.BytesIO(noted))
    assert len(looked_into[0]) > 5000 * 9  # Pillow by itself does


def test_the_mark_that_says_how_colours_are_stored_is_kept():
    values = np.stack([GREY, 255 - GREY, GREY // 2], 2)
    data = written.jpeg(values, quality=100, subsampling=0, keep_rgb=True)
    assert b"Adobe" in data or b"JFIF" not in data
    assert np.abs(np.moveaxis(decoded(data).values, 0, 2).astype(int) - values).max() < 8


def test_an_animation_is_refused():
    data = written.png(GREY, more=written.chunk(b"acTL", struct.pack(">II", 9, 0)))
    with pytest.raises(Unreadable):
        decoded(data)


@pytest.mark.parametrize(
    "shape", ["(100000, 100000)", "(1,)" * 9, "(99999999999999999999,)", "(-1, 5)", "(1e9,)", "()" * 3]
)
def test_an_array_whose_header_promises_the_moon_is_refused(shape):
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    refused(b"\x93NUMPY\1\0" + struct.pack("<H", len(head) + 1) + head + b"\n" + bytes(80), "")


def test_a_header_that_is_code_is_not_evaluated():
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (__import__('os').getpid(),), }\n"
    refused(b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head + bytes(80), "other than numbers")
    refused(b"\x93NUMPY\2\0" + struct.pack("<I", 1 << 31) + bytes(80), "header that is too long")


def test_a_packed_volume_that_is_a_bomb_is_unpacked_no_further_than_its_header_says():
    plain = written.nifti(WIDE, 1, 0)
    refused(gzip.compress(plain + bytes(64 << 20), mtime=0), "longer or shorter")
    refused(gzip.compress(bytes(64 << 20), mtime=0), "packed file of no kind")


def test_a_packed_volume_beyond_the_bound_is_not_unpacked():
    plain = bytearray(written.nifti(WIDE, 1, 0))
    struct.pack_into("<4h", plain, 40, 3, 1000, 1000, 1000)
    refused(gzip.compress(bytes(plain) + bytes(64 << 20), mtime=0), "more than")
    struct.pack_into("<4h", plain, 40, 3, 1000, 1000, 90)
    struct.pack_into("<2h", plain, 70, 64, 64)
    assert MOST_NUMBERS * 8 > MOST_BYTES
    refused(gzip.compress(bytes(plain), mtime=0), "unpacks to more than")


def test_a_deflated_bomb_is_unpacked_to_the_bound(monkeypatch):
    monkeypatch.setattr(dicom_elements, "MOST_BYTES", 1 << 20)
    data = written.dicom(np.zeros((2000, 2000), "u1"), DeflatedExplicitVRLittleEndian)
    refused(data, "unpacks to more than", 3 << 20)


def beginning():
    """A file's start, up to its data set, explicit."""
    plain = written.dicom(WIDE)
    return plain[: plain.index(b"\x08\x00\x16\x00UI")]


def test_sequences_of_any_depth_cost_a_stack_of_marks():
    step = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    refused(beginning() + step * 100_000, "sequences that are not read")
    refused(beginning() + step * 3, "breaks off")


def test_very_many_elements_are_refused():
    one = struct.pack("<HH2sH", 0x0009, 0x0001, b"UI", 0)
    with pytest.raises(Unreadable, match="twice"):
        decoded(beginning() + one * 10)
    inside = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    with pytest.raises(Unreadable, match="more than"):
        decoded(beginning() + inside + one * (dicom_elements.MOST_ELEMENTS + 1))


def test_runs_that_promise_more_than_the_picture_are_refused():
    data = bytearray(SEEDS["dicom in runs"])
    at = data.index(b"\xfe\xff\x00\xe0", data.index(b"\xfe\xff\x00\xe0") + 4) + 8
    data[at + 64 : at + 68] = b"\x81\0\x81\0"
    with pytest.raises(Unreadable):
        decoded(bytes(data))


def test_runs_are_not_unpacked_beyond_the_bound():
    data = SEEDS["dicom in runs"].replace(struct.pack("<H", 16) + b"\x28\0\1\1", struct.pack("<H", 32) + b"\x28\0\1\1")
    for tag in (b"\x28\0\x10\0US\2\0", b"\x28\0\x11\0US\2\0"):
        at = data.index(tag) + len(tag)
        data = data[:at] + struct.pack("<H", 9990) + data[at + 2 :]
    assert MOST_NUMBERS >= 9990**2
    refused(data, "unpacks to more than")


def test_messages_hold_nothing_of_the_file():
    data = written.dicom(WIDE).replace(b"MONOCHROME2 ", b"NOBODY^SECRT").replace(b"MONOCHROME2", b"NOBODY^SECR")
    with pytest.raises(Unreadable) as caught:
        decoded(data)
    assert "NOBODY" not in str(caught.value)


def thin(shape):
    """A file whose axes are as unlike as its format lets them be."""
    return {2: written.png, 3: lambda values: written.nifti(values, packed=True)}[len(shape)](np.zeros(shape, "u1"))


@pytest.mark.parametrize(
    ("file", "shape"),
    [
        ((400_000, 1), (1, 64, 64)),
        ((1, 400_000), (1, 64, 64)),
        ((1, 1, 32_000), (1, 4, 64, 64)),
        ((32_000, 1, 1), (1, 4, 64, 64)),
    ],
)
def test_a_thin_file_takes_no_more_than_itself_and_the_shape_while_it_is_resized(file, shape, monkeypatch):
    sizes, resize = [], Image.Image.resize

    def seen(image, size, *more):
        sizes.append(image.width * image.height)
        sizes.append(size[0] * size[1])
        return resize(image, size, *more)

    monkeypatch.setattr(Image.Image, "resize", seen)
    data = thin(file)
    assert len(data) < 4096
    assert picture(decoded(data), shape, 0, 255).values.shape == shape
    assert max(sizes) <= max(np.prod(file), np.prod(shape))
    assert len(sizes) <= 4 * 2 * (shape[1] + 1)
