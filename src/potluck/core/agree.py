"""Words that agree with a number: "1 row is left out", "2 rows are left out"."""


def agree(number: int, one: str, many: str) -> str:
    """`one` beside 1, else `many`."""
    return one if number == 1 else many
