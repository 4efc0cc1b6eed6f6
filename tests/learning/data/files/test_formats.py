"""Every format gives the numbers that another program wrote."""

import gzip
import io
import struct
import zlib

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from potluck.learning.data.files.formats import array, decoded
from potluck.learning.data.files.raster import Unreadable
from support.files import written

PALETTE = written.chunk(b"PLTE", bytes([10, 20, 30, 200, 100, 50]))


def numbers(shape, kind, seed=0):
    draw = np.random.default_rng(seed)
    info = np.iinfo(kind)
    return draw.integers(info.min, info.max, shape, kind, endpoint=True)


@pytest.mark.parametrize(
    ("colour", "depth", "shape", "kept"),
    [(0, 8, (5, 7), 1), (0, 16, (5, 7), 1), (2, 8, (5, 7, 3), 3), (4, 8, (5, 7, 2), 1), (6, 8, (5, 7, 4), 3)],
    ids=["grey", "grey of 16 bits", "colour", "grey with alpha", "colour with alpha"],
)
def test_a_png_file_gives_its_numbers(colour, depth, shape, kept):
    values = numbers(shape, np.uint16 if depth == 16 else np.uint8)
    found = decoded(written.png(values, colour, depth)).values
    whole = values[..., None] if values.ndim == 2 else values
    assert np.array_equal(found, np.moveaxis(whole, 2, 0)[:kept])


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 2), (6, 4)], ids=["colour", "grey with alpha", "both"])
def test_a_png_file_whose_16_bits_would_be_shortened_to_8_is_refused(colour, channels):
    with pytest.raises(Unreadable, match="16 bits"):
        decoded(written.png(numbers((5, 7, channels), np.uint16), colour, 16))


def test_a_palette_becomes_its_colours():
    found = decoded(written.png(np.array([[0, 1, 1]]), 3, 8, PALETTE)).values
    assert found[:, 0].T.tolist() == [[10, 20, 30], [200, 100, 50], [200, 100, 50]]


def test_a_png_file_of_one_bit_is_black_and_white():
    raw = struct.pack(">IIBBBBB", 3, 1, 1, 0, 0, 0, 0)
    body = written.chunk(b"IHDR", raw) + written.chunk(b"IDAT", zlib.compress(b"\0\xa0")) + written.chunk(b"IEND", b"")
    assert decoded(b"\x89PNG\r\n\x1a\n" + body).values.tolist() == [[[255, 0, 255]]]


@pytest.mark.parametrize("colour", [(60,), (200, 30, 90)], ids=["grey", "colour"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_file_gives_its_colour(colour, progressive):
    values = np.full((16, 24, len(colour)), colour, np.uint8)
    data = written.jpeg(values[..., 0] if len(colour) == 1 else values, quality=95, progressive=progressive)
    found = decoded(data).values
    assert found.shape == (len(colour), 16, 24)
    assert np.abs(found.astype(int) - np.array(colour)[:, None, None]).max() <= 2


def noisy(channels):
    return numbers((40, 48, channels) if channels > 1 else (40, 48), np.uint8)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 7}, {"subsampling": 0}])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_jpeg_file_that_ends_early_is_refused_though_it_says_that_it_ends(channels, options):
    data = written.jpeg(noisy(channels), **options)
    assert decoded(data).values.shape == (channels, 40, 48)
    start, end = data.rindex(b"\xff\xda") + 14, len(data) - 2
    for cut in np.linspace(start, end - 8, 12).astype(int).tolist():
        for last in (b"", b"\xff\xd9", b"\xff\xd9more"):
            with pytest.raises(Unreadable, match=r"ends early|damaged"):
                decoded(data[:cut].rstrip(b"\xff") + last)


def test_what_stands_behind_a_jpeg_file_or_before_its_pixels_is_no_matter():
    data = written.jpeg(noisy(3), comment=b"\xff\xd9" * 9)
    whole = decoded(data).values
    assert np.array_equal(decoded(data + b"\xff\xd9\xff\xda" + bytes(99)).values, whole)
    assert np.array_equal(decoded(data[:-2] + b"\0" * 9 + data[-2:]).values, whole)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour", "depth", "channels"), [(0, 8, 1), (2, 8, 3), (3, 4, 1), (0, 1, 1), (6, 8, 4)])
@pytest.mark.parametrize(("height", "width"), [(9, 13), (1, 1), (3, 2)])
def test_a_png_file_of_one_byte_less_than_its_header_says_is_refused(
    colour, depth, channels, interlaced, height, width
):
    """The raw length against the specification's own definition: pixel by pixel, which of seven passes it is in."""
    passes = ["16462646", "77777777", "56565656", "77777777", "36463646", "77777777", "56565656", "77777777"]
    lines = {}
    for y in range(height):
        for x in range(width):
            number = passes[y % 8][x % 8] if interlaced else "0"
            lines.setdefault(number, {}).setdefault(y, []).append(x)
    size = sum(1 + -(-len(row) * depth * channels // 8) for one in lines.values() for row in one.values())

    def file(raw):
        head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
        packed = zlib.compress(raw)
        parts = [written.chunk(b"IDAT", part) for part in (packed[:7], packed[7:])]
        more = PALETTE if colour == 3 else b""
        return (
            b"\x89PNG\r\n\x1a\n" + written.chunk(b"IHDR", head) + more + b"".join(parts) + written.chunk(b"IEND", b"")
        )

    assert decoded(file(bytes(size))).values.shape[1:] == (height, width)
    assert decoded(file(bytes(size + 1))).values.shape[1:] == (height, width)
    with pytest.raises(Unreadable, match=r"ends early|damaged"):
        decoded(file(bytes(size - 1)))


def test_the_orientation_of_exif_is_not_applied():
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    assert decoded(written.jpeg(np.zeros((16, 24), np.uint8), exif=exif)).values.shape == (1, 16, 24)


@pytest.mark.parametrize("kind", ["u1", "i1", "<u2", ">i2", "<i4", "<i8", "<f2", "<f4", ">f8", "|b1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_keeps_its_axes_whichever_is_first_in_the_file(kind, order):
    values = np.asarray(np.arange(24).reshape(2, 3, 4) % 100, kind, order=order)
    found = array(written.npy(values)).values
    assert found.dtype == values.dtype
    assert np.array_equal(found, values)


def test_arrays_of_one_axis_and_of_none_are_read():
    assert array(written.npy(np.arange(3.0))).values.tolist() == [0, 1, 2]
    assert array(written.npy(np.float64(7))).values.tolist() == 7


@pytest.mark.parametrize(
    "values",
    [np.array([None], object), np.array(["a"]), np.array([1 + 1j]), np.array([(1,)], [("a", "i4")]), np.zeros((2, 0))],
    ids=["object", "text", "complex", "structure", "empty"],
)
def test_arrays_of_other_things_than_numbers_are_refused(values):
    out = io.BytesIO()
    np.save(out, values, allow_pickle=True)
    with pytest.raises(Unreadable):
        array(out.getvalue())


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"])
def test_a_volume_gives_what_nibabel_reads(kind, packed):
    import nibabel

    values = np.arange(60).reshape(3, 4, 5).astype(kind)
    data = written.nifti(values, 2.5, -7, packed)
    found = decoded(data)
    theirs = nibabel.Nifti1Image.from_bytes(gzip.decompress(data) if packed else data).get_fdata()
    assert np.allclose(found.values[0] * found.slope + found.intercept, theirs.T, rtol=1e-12)


def test_a_slope_of_zero_is_none_and_a_picture_has_two_axes():
    found = decoded(written.nifti(np.arange(12, dtype="i2").reshape(4, 3, 1), 0, 5))
    assert (found.slope, found.intercept, found.values.shape) == (1, 0, (1, 3, 4))


@pytest.mark.parametrize(("slope", "intercept"), [(np.inf, 0), (-np.inf, 0), (1, np.nan), (2, np.inf)])
def test_a_slope_or_an_intercept_that_is_no_number_is_refused(slope, intercept):
    with pytest.raises(Unreadable, match="slope or intercept"):
        decoded(written.nifti(np.arange(12, dtype="i2").reshape(4, 3, 1), slope, intercept))


def test_volumes_over_time_and_nifti_2_are_refused():
    import nibabel

    with pytest.raises(Unreadable, match="two or three axes"):
        decoded(written.nifti(np.zeros((2, 2, 2, 3), "i2")))
    with pytest.raises(Unreadable):
        decoded(nibabel.Nifti2Image(np.zeros((2, 2, 2), "i2"), np.eye(4)).to_bytes())


def theirs(data, path):
    path.write_bytes(data)
    return pydicom.dcmread(path).pixel_array


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, pydicom.uid.ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
@pytest.mark.parametrize(
    ("shape", "kind"), [((5, 7), "u1"), ((5, 7), "u2"), ((5, 7), "i2"), ((3, 4, 6), "i2"), ((4, 5), "u4")]
)
def test_a_dicom_file_gives_what_pydicom_reads(tmp_path, syntax, shape, kind):
    data = written.dicom(numbers(shape, kind), syntax)
    found = decoded(data).values
    assert np.array_equal(found[0], theirs(data, tmp_path / "a"))


def test_a_dicom_file_in_colour_gives_what_pydicom_reads(tmp_path):
    data = written.dicom(numbers((5, 7, 3), "u1"), photometric="RGB")
    assert np.array_equal(np.moveaxis(decoded(data).values, 0, 2), theirs(data, tmp_path / "a"))


@pytest.mark.parametrize(("shape", "kind"), [((5, 7), "u1"), ((9, 8), "u2"), ((3, 4, 6), "i2")])
def test_run_lengths_give_what_pydicom_reads(tmp_path, shape, kind):
    values = numbers(shape, kind) // 64
    data = written.dicom(values, change=lambda one: one.compress(RLELossless))
    assert np.array_equal(decoded(data).values[0], values)
    assert np.array_equal(values, theirs(data, tmp_path / "a"))


def test_bits_that_are_no_part_of_a_number_are_left_away():
    plain = numbers((5, 7), "u2") & 0x0FFF
    assert np.array_equal(decoded(written.dicom(plain | 0xF000, stored=12)).values[0], plain)
    signed = (plain.astype("i2") << 4) >> 4
    assert np.array_equal(decoded(written.dicom((signed & 0x0FFF).astype("i2"), stored=12)).values[0], signed)


def test_slope_intercept_and_monochrome1_are_read():
    def change(one):
        one.RescaleSlope, one.RescaleIntercept = "2", "-1024"

    found = decoded(written.dicom(numbers((2, 2), "u2"), photometric="MONOCHROME1", change=change))
    assert (found.slope, found.intercept, found.inverted) == (2, -1024, True)


@pytest.mark.parametrize(
    ("kind", "first", "last", "blank"),
    [("i2", -2000, None, (-2000, -2000)), ("u2", 65535, 65000, (65000, 65535)), ("i2", None, None, None)],
)
def test_padding_is_known_by_its_stored_values(kind, first, last, blank):
    def change(one):
        word = "SS" if kind == "i2" else "US"
        for tag, value in ((0x00280120, first), (0x00280121, last)):
            if value is not None:
                one.add_new(tag, word, value)

    for syntax in (ImplicitVRLittleEndian, pydicom.uid.ExplicitVRLittleEndian):
        assert decoded(written.dicom(numbers((2, 2), kind), syntax, change=change)).blank == blank


def test_a_slope_behind_the_pixels_is_not_passed_over():
    def change(one):
        one.RescaleSlope, one.RescaleIntercept = "2", "-1024"
        one.DataSetTrailingPadding = bytes(8)

    data = written.dicom(numbers((2, 2), "u2"), change=change)
    assert decoded(data).slope == 2
    start, pixels = data.index(b"\x28\0\x52\x10"), data.index(b"\xe0\x7f\x10\0")
    padding = data.index(b"\xfc\xff\xfc\xff", pixels)
    with pytest.raises(Unreadable, match="out of order"):
        decoded(data[:start] + data[pixels:padding] + data[start:pixels] + data[padding:])


def test_sequences_of_either_length_are_passed_over(tmp_path):
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    def change(one):
        inner = Dataset()
        inner.Rows, inner.Columns = 99, 99
        outer = Dataset()
        outer.ReferencedImageSequence = Sequence([inner, inner])
        one.ReferencedImageSequence = Sequence([outer])
        for part in (one, outer):
            part["ReferencedImageSequence"].is_undefined_length = True

    values = numbers((5, 7), "u2")
    assert np.array_equal(decoded(written.dicom(values, change=change)).values[0], values)


def enhanced(one):
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    one.SOPClassUID = CTImageStorage
    one.SharedFunctionalGroupsSequence = Sequence([Dataset()])


def tabled(one):
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    item = Dataset()
    item.add_new(0x00283002, "US", [256, 0, 16])
    item.add_new(0x00283006, "OW", bytes(512))
    one.ModalityLUTSequence = Sequence([item])


@pytest.mark.parametrize(
    ("change", "name"), [(enhanced, "SharedFunctionalGroupsSequence"), (tabled, "ModalityLUTSequence")]
)
@pytest.mark.parametrize("unknown", [False, True], ids=["of a length", "of an unknown length"])
def test_a_table_or_slopes_by_frame_are_refused_however_their_sequence_ends(change, name, unknown):
    def marked(one):
        change(one)
        one[name].is_undefined_length = unknown

    with pytest.raises(Unreadable, match="follow from a table or differ by frame"):
        decoded(written.dicom(numbers((5, 7), "u2"), change=marked))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (enhanced, "differ by frame"),
        (lambda one: setattr(one, "PhotometricInterpretation", "PALETTE COLOR"), "neither MONOCHROME1"),
        (lambda one: setattr(one, "HighBit", 3), "layout of bits"),
        (lambda one: delattr(one, "PixelData"), "without a picture"),
        (lambda one: setattr(one, "Rows", 6), "longer or shorter"),
    ],
)
def test_what_is_not_read_of_dicom_is_refused_by_name(change, said):
    with pytest.raises(Unreadable, match=said):
        decoded(written.dicom(numbers((5, 7), "u2"), change=change))


def test_a_codec_is_refused_by_the_name_of_its_syntax():
    plain = written.dicom(numbers((4, 4), "u2"))
    for name in (JPEG2000Lossless, ExplicitVRBigEndian):
        # The name in the place of another of the same length, padded.
        data = plain.replace(b"1.2.840.10008.1.2.1\0", name.encode().ljust(20, b"\0")[:20])
        with pytest.raises(Unreadable, match=r"of the transfer syntax 1\.2\.840"):
            decoded(data)


@pytest.mark.parametrize("data", [b"", b"GIF89a" + bytes(100), b"%PDF-1.4", b"II*\0" + bytes(100), bytes(1000)])
def test_other_files_are_of_no_kind_that_is_known(data):
    with pytest.raises(Unreadable, match="of no kind that is known"):
        decoded(data)
