"""`potluck columns`: what it prints, what it writes, and what it never overwrites."""

import json
import tomllib

import pytest

SCHEMA = {
    "fields": [
        {"name": "age", "type": "integer", "constraints": {"minimum": 0, "maximum": 110}},
        {"name": "weight", "type": "number"},
    ]
}


@pytest.fixture
def schema(tmp_path):
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(SCHEMA))
    return path


def test_columns_prints_the_toml_and_counts_what_is_open(schema, cli):
    said = cli("columns", schema)
    assert said.code == 0
    assert tomllib.loads(said.out) == {"data": {"columns": {"age": {"kind": "number", "low": 0, "high": 110}}}}
    assert "1 column declared, 1 to confirm" in said.err


def test_columns_gives_one_json_document(schema, cli):
    said = cli("columns", schema, "--json").json
    assert said == {
        "format": "frictionless",
        "table": None,
        "data": {"columns": {"age": {"kind": "number", "low": 0.0, "high": 110.0}}},
        "confirm": {"weight": "range to confirm"},
        "file": None,
    }


def test_columns_writes_a_new_file_and_overwrites_none(schema, cli, tmp_path):
    out = tmp_path / "plan.toml"
    assert cli("columns", schema, "-o", out).code == 0
    first = out.read_text()
    assert "age" in first
    said = cli("columns", schema, "-o", out)
    assert said.code == 2
    assert "is there already" in said.err
    assert out.read_text() == first


def test_columns_of_what_is_no_dictionary_is_wrong_input(cli, tmp_path):
    (tmp_path / "x.json").write_text("{}")
    said = cli("columns", tmp_path / "x.json", "--json")
    assert said.code == 2
    assert said.out == ""
    assert "of no known format" in said.err
