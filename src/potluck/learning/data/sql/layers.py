"""A query as layers: each is a SELECT that adds columns to those of the one below."""

from collections.abc import Iterable, Mapping, Sequence

from potluck.learning.data.sql.dialect import Dialect

FEW = 5
"""Parts of a range: in fewer a value is found by comparisons at once."""
WIDE = 1e15
"""A range is at most so wide, and at least one over it, where numbers are divided by it: no engine then stumbles."""
ROUNDED = 2.0**-48
"""More than what doubles get wrong of a value's place among even parts, relative to the largest number involved."""


class Layer:
    """One SELECT. What is defined in it has a name in all layers above it."""

    def __init__(self, dialect: Dialect, below: "Layer | str", prefix: str) -> None:
        """below: a layer, or what stands after FROM; prefix: of its names, which no other layer's names begin with."""
        self.dialect = dialect
        self._below = below
        self._prefix = prefix
        self._names: dict[str, str] = {}

    def define(self, sql: str) -> str:
        """The name of what an expression over the layer below gives; one name for the same expression."""
        return self._names.setdefault(sql, f"{self._prefix}{len(self._names)}")

    def above(self, prefix: str) -> "Layer":
        """A layer over this one."""
        return Layer(self.dialect, self, prefix)

    def called(self, sql: str) -> str:
        """The name of an expression that a layer below defines, so that it is computed once; else the expression."""
        below = self._below
        while isinstance(below, Layer):
            if sql in below._names:
                return below._names[sql]
            below = below._below
        return sql

    def grouped(self, by: str, named: Mapping[str, str], prefix: str) -> "Layer":
        """A layer over one row for each value of what rows are grouped by. named: what aggregates are called in it."""
        listed = ", ".join(f"{sql} AS {name}" for name, sql in named.items())
        return Layer(
            self.dialect, f"(SELECT {listed} FROM ({self.select()}) AS {prefix}_ GROUP BY {by}) AS {prefix}__", prefix
        )

    @property
    def beneath(self) -> "Layer":
        """The layer below."""
        if isinstance(self._below, str):
            raise LookupError("below the lowest layer lies the source")
        return self._below

    def select(self) -> str:
        """The query."""
        base = isinstance(self._below, str)
        columns = [*([] if base else ["*"]), *(f"{sql} AS {name}" for sql, name in self._names.items())]
        below = self._below if isinstance(self._below, str) else f"({self._below.select()}) AS {self._prefix}_"
        return f"SELECT {', '.join(columns or ['1 AS nothing'])} FROM {below}{self.dialect.fence}"

    def ask(self, names: Sequence[str], grouped: str = "") -> str:
        """What is asked of the rows of this layer. grouped: what stands at the end."""
        return f"SELECT {', '.join(names) or '1'} FROM ({self.select()}) AS rows_{grouped}"


def nested(query: str, columns: int) -> str:
    """Somebody's query as what stands after FROM, its columns as c0, c1, ..., whatever their names."""
    # On a line of its own: the query may end in a comment.
    return f"({query}\n) AS source_ ({', '.join(f'c{place}' for place in range(columns))})"


def described(query: str) -> str:
    """What asks for the columns of a query, and for none of its rows."""
    return f"SELECT * FROM ({query}\n) AS source_ LIMIT 0"


def cases(pairs: Iterable[tuple[str, str]], otherwise: str) -> str:
    """CASE of conditions, in order, and what they give."""
    found = " ".join(f"WHEN {condition} THEN {value}" for condition, value in pairs)
    return f"CASE {found} ELSE {otherwise} END" if found else otherwise


def inside(value: str, low: str, high: str) -> str:
    """Whether a double lies between two: of NULL neither yes nor no."""
    return f"{value} >= {low} AND {value} <= {high}"


def clipped(value: str, low: str, high: str, layer: Layer | None = None) -> str:
    """A double between two; NULL stays. What most values are comes first. layer: that in which it will stand, where one
    below may know whether the double lies between."""
    usual = inside(value, low, high)
    usual = layer.called(usual) if layer else usual
    return cases([(usual, value), (f"{value} < {low}", low), (f"{value} > {high}", high)], "NULL")


def placed(value: str, low: float, high: float, edges: list[float], layer: Layer) -> str:
    """How many of these edges are at most a double; NULL stays. The edges part the range evenly, as `numpy.linspace`
    gives them. layer: the one below that in which it will stand.

    A tree of comparisons is slow, so (value - low) * parts / range is asked first. Both this quotient and the edges
    take a few roundings: in parts, they are off by less than `margin` together. So where the quotient is further than
    that from a whole number, its floor is what the tree would say.
    """
    d, size, parts = layer.dialect, high - low, len(edges) + 1
    tree = bisected(value, [*map(d.double, edges)])
    margin = ROUNDED * parts * (1 + max(abs(low), abs(high)) / size)
    if parts < FEW or margin > 0.25 or not 1 / WIDE < size < WIDE:
        return cases([(f"{value} IS NULL", "NULL")], tree)
    between = layer.called(inside(value, d.double(low), d.double(high)))
    above = d.tame(f"({value} - {d.double(low)})")
    part = layer.define(cases([(between, f"{above} * {d.double(parts / size)}")], d.double(-1)))
    sure = f"abs({part} - {d.floor(part)} - {d.double(0.5)}) < {d.double(0.5 - margin)}"
    return cases([(sure, d.floor(part)), (f"{value} IS NULL", "NULL")], tree)


def bisected(value: str, edges: list[str], first: int = 0) -> str:
    """How many of some rising edges are at most this value, plus `first`: as a tree of comparisons."""
    if not edges:
        return str(first)
    middle = len(edges) // 2
    less, more = bisected(value, edges[:middle], first), bisected(value, edges[middle + 1 :], first + middle + 1)
    return f"CASE WHEN {value} < {edges[middle]} THEN {less} ELSE {more} END"
