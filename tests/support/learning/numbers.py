"""Texts that are numbers, or nearly, and what Python reads in them."""

import re

from hypothesis import strategies as st

ODD = (
    *("1e3", ".5", "5.", "+1", "inf", "nan", "1_000", "0x1", "1d", "1f", "1L", "1e400", "-1e400", "1e-400", "-1e-400"),
    *("5e-324", "1e-324", "3e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "9" * 400, "-" + "9" * 309),
    *("0." + "0" * 400 + "1", "1e", "e1", "1e+", "+-1", "-+1", "--1", "+", "-", "", ".", ".e1", "1.e5", "1.5e+05"),
    *("1e0000000000000000005", "1e99999999999", "1e-99999999999", "0e99999999999", "0e400", "1E5", "1 2", "1 e5"),
    *("Infinity", "-Infinity", "+inf", "NaN", "1.7976931348623157e308", "1.7976931348623159e308", "1e309", "-0", "+0"),
    *("1.797693134862315807e308", "1.797693134862315808e308", "00012", "1,5", "١", "1e5.0", "0b1", "1__0", "_1", "1_"),
    *("1.5.5", "1e+-5", "true", "\ufeff1", "9007199254740993", "1." + "0" * 200 + "1e10", "1..", "1.e+", ".1.", "½"),
    *(
        "1" + "0" * 5000 + "e-5000",
        "." + "0" * 5000 + "5e5001",
        "2.2250738585072011e-308",
        "1e23",
        "8.41e21",
        "1D",
        "1F",
    ),
)
TEXTS = st.one_of(
    st.sampled_from(ODD),
    st.text(alphabet="0123456789+-.eE_ xdfinaNIty,", max_size=12),
    st.floats(allow_nan=False).map(repr),
    st.from_regex(r"[+-]?[0-9]{1,30}\.[0-9]{0,30}([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)


def spelt(text: str) -> float | None:
    """The number that Python reads in a text of ASCII digits, without blanks, words and underscores."""
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text, re.ASCII):
        return None
    return float(text)
