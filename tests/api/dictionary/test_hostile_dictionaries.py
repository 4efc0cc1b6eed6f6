"""A data dictionary comes from anywhere: it ends in columns or in a UsageError, and nothing in it acts."""

import json
import socket
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

import potluck
from potluck.api.dictionary import document as documents
from potluck.core.errors import UsageError

NAMES = ["a\nb", 'q"x', "c'd", "# no", "=", "[data]", "\x1b[31m", "\u202e", "x" * 900, "é", "a.b", '"""', "\x7f"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        "fields", "resources", "schema", "name", "type", "constraints", "minimum", "maximum", "enum",
        "categories", "missingValues", "primaryKey", "columns", "dtype", "checks", "isin", "value", "options",
        "check_name", "in_range", "schema_type", "recordSet", "@context", "field", "dataType", "references",
        "data", "@id", "source", "extract", "column", "trueValues",
    ]
)  # fmt: skip
SHAPED = st.recursive(
    JSON | st.sampled_from(["dataframe", "integer", "number", "boolean", "int64", "sc:Integer", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=30,
)


def write(tmp_path, data, name="d.json"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    return path


def fields(*some):
    return {"fields": list(some)}


def test_no_name_or_value_leaves_its_place_in_the_toml(tmp_path):
    some = [{"name": n, "type": "string", "constraints": {"enum": [f"{n}1", f"{n}2"]}} for n in NAMES]
    some += [{"name": f"{n}?", "type": n} for n in NAMES]
    found = potluck.columns_from(write(tmp_path, fields(*some)))
    read = tomllib.loads(found.toml())
    assert set(read) == {"data"}
    assert read["data"]["columns"] == found.columns
    assert {name: one["values"] for name, one in found.columns.items()} == {n: [f"{n}1", f"{n}2"] for n in NAMES}
    assert set(found.confirm) == {f"{n}?" for n in NAMES}


@given(SHAPED)
def test_any_json_gives_columns_or_a_usage_error(tmp_path_factory, document):
    path = write(tmp_path_factory.mktemp("d"), document)
    try:
        found = potluck.columns_from(path)
    except UsageError as error:
        assert "Traceback" not in str(error)
        return
    assert tomllib.loads(found.toml()).get("data", {}).get("columns", {}) == found.columns


def test_a_deep_document_is_refused(tmp_path):
    with pytest.raises(UsageError, match="nested too deeply"):
        potluck.columns_from(write(tmp_path, b"[" * 200_000 + b"]" * 200_000))


def test_a_large_document_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "LARGEST", 100)
    assert potluck.columns_from(write(tmp_path, fields({"name": "a", "type": "integer"}))).confirm  # the control
    with pytest.raises(UsageError, match="has more than"):
        potluck.columns_from(write(tmp_path, fields({"name": "a" * 100, "type": "integer"})))


def test_more_columns_or_values_than_a_plan_holds_are_refused(tmp_path):
    with pytest.raises(UsageError, match="more than 100,000"):
        potluck.columns_from(write(tmp_path, fields(*({"name": f"c{k}", "type": "number"} for k in range(100_001)))))
    many = {"name": "a", "type": "string", "constraints": {"enum": [f"v{k}" for k in range(100_001)]}}
    with pytest.raises(UsageError, match="more than 100,000"):
        potluck.columns_from(write(tmp_path, fields(many)))


@pytest.mark.parametrize(
    ("data", "name", "what"),
    [
        (b"{", "d.json", "is not JSON"),
        (b"", "d.json", "is not JSON"),
        (b"\xff\xfe", "d.json", "not UTF-8"),
        (b'{"schema_type": "dataframe", "columns": {" ": 3}}', "d.json", "has no name"),
        (b"[]", "d.json", "of no known format"),
        (b'{"fields": [{"type": "number"}]}', "d.json", "has no name"),
        (b'{"fields": [{"name": "a"}, {"name": "a"}]}', "d.json", "is there twice"),
        (b'{"fields": [3]}', "d.json", "has no name"),
        (b'{"resources": []}', "d.json", "describes no table"),
        (b'{"resources": [{"name": "a"}]}', "d.json", "without fields"),
        (b'{"schema_type": "dataframe", "columns": 3}', "d.json", "no columns"),
        (b"cdmTableName,cdmFieldName\na\n", "d.csv", "number of fields"),
        (b"a,a\n1,2\n", "d.csv", "twice"),
        (b"a,b\n1,2\n", "d.csv", "of no known format"),
        (b'a,b\n"1,2\n', "d.csv", "is not CSV"),
        (b"columns: 1", "d.yaml", "of no known format"),
        (b"a: [1", "d.yml", "is not YAML"),
        (b"a: !!bool maybe", "d.yaml", "what type it is"),
        (b"a: !!int ''", "d.yaml", "what type it is"),
        (b"a: !!float 1:30", "d.yaml", "what type it is"),
        (b"a: !!binary aGk=", "d.yaml", "what type it is"),
        (b"a: !local x", "d.yaml", "what type it is"),
        (b"a: 1\n'a': 2", "d.yaml", "'a' is there twice"),
        (b"? [a]\n: 1\n? [b]\n: 2", "d.yaml", "of no known format"),
        (b"a: [" + b"[]," * 600_000 + b"]", "d.yaml", "more than 1,000,000 parts"),
        (b'{"a": 1, "a": 2}', "d.json", "'a' is there twice"),
        (b"a: &b [1]\nc: *b", "d.yaml", "refers to another place"),
        (b"a: !!python/object/apply:os.system ['true']", "d.yaml", "what type it is"),
        (b"[" * 100_000, "d.yaml", "nest"),
        (b"? " * 5_000, "d.yaml", "is nested too deeply"),
        (b"schema_type: dataframe\ncolumns: 3", "d.yaml", "no columns"),
        (b"a: \x00", "d.yaml", "is not YAML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, data, name, what):
    with pytest.raises(UsageError, match=what):
        potluck.columns_from(write(tmp_path, data, name))


def test_bounds_that_cannot_be_computed_with_are_to_confirm(tmp_path):
    bounds = [(5, 1), (0, 10**400), ("x", 1), (True, 3), (0, 0), (-1e308, 1e308), ("1e999", 2), ([1], {})]
    some = [
        {"name": f"c{k}", "type": "number", "constraints": {"minimum": low, "maximum": high}}
        for k, (low, high) in enumerate(bounds)
    ]
    found = potluck.columns_from(write(tmp_path, fields(*some)))
    assert found.columns == {}
    assert found.confirm["c0"].startswith("the range is upside down")
    assert found.confirm["c1"] == "range to confirm"
    assert len(found.confirm) == len(bounds)


def test_nothing_is_fetched(tmp_path, monkeypatch):
    def refused(*_some, **_more):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refused)
    named = {"resources": [{"name": "a", "schema": "http://127.0.0.1:9/schema.json"}], "$schema": "http://127.0.0.1:9/"}
    with pytest.raises(UsageError, match="in another file"):
        potluck.columns_from(write(tmp_path, named))


def test_a_table_that_is_not_there_is_named_with_those_that_are(tmp_path):
    two = {"resources": [{"name": "x", "schema": fields()}, {"name": "y", "schema": fields()}]}
    with pytest.raises(UsageError, match=r"describes 2 tables.*x, y"):
        potluck.columns_from(write(tmp_path, two))
    with pytest.raises(UsageError, match=r"has no table 'z'.*x, y"):
        potluck.columns_from(write(tmp_path, two), "z")
