"""Data dictionaries of four formats, written after their specifications: what they say, and what they leave open."""

import json
import tomllib

import pytest
import yaml

import potluck
from potluck.core.errors import UsageError

PACKAGE = {
    "name": "ward",
    "resources": [
        {
            "name": "patients",
            "path": "patients.csv",
            "schema": {
                "fields": [
                    {"name": "id", "type": "integer"},
                    {"name": "age", "type": "integer", "constraints": {"required": True, "minimum": 0, "maximum": 110}},
                    {"name": "creatinine", "type": "number", "constraints": {"minimum": "0.1"}},
                    {"name": "sex", "type": "string", "constraints": {"enum": ["f", "m", "NA"], "required": True}},
                    {"name": "stage", "type": "integer", "categories": [{"value": 1, "label": "early"}, {"value": 2}]},
                    {"name": "smoker", "type": "boolean", "trueValues": ["ja"], "falseValues": ["nein"]},
                    {"name": "note", "type": "string"},
                    {"name": "birth", "type": "date", "format": "%d.%m.%Y"},
                ],
                "missingValues": ["", "NA"],
                "primaryKey": "id",
            },
        },
        {"name": "visits", "path": "visits.csv", "schema": "visits.schema.json"},
    ],
}
PANDERA = {
    "schema_type": "dataframe",
    "version": "0.20.4",
    "columns": {
        "age": {
            "dtype": "int64",
            "nullable": False,
            "required": True,
            "checks": {
                "greater_than_or_equal_to": {"value": 18, "options": {"raise_warning": False}},
                "in_range": {"min_value": 0, "max_value": 99, "include_min": True, "include_max": True},
            },
        },
        "bmi": {
            "dtype": "float64",
            "nullable": True,
            "checks": [
                {"value": 10.5, "options": {"check_name": "greater_than"}},
                {"value": 80, "options": {"check_name": "less_than"}},
            ],
        },
        "sex": {"dtype": "category", "checks": {"isin": ["f", "m"]}},
        "site": {"dtype": "object", "checks": {"isin": {"value": [1, 2, 3], "options": {}}}},
        "dead": {"dtype": "bool", "checks": None},
        "pulse": {"dtype": "int64", "checks": {"greater_than": 0}},
        "x_.*": {"dtype": "float64", "regex": True, "checks": None},
        "seen": {"dtype": "datetime64[ns]", "checks": None},
    },
    "index": None,
}
OMOP = """cdmTableName,cdmFieldName,isRequired,cdmDatatype,note,isPrimaryKey,isForeignKey,fkTableName,fkFieldName
person,person_id,Yes,integer,"A number, one a person.",Yes,No,NA,NA
person,gender_concept_id,Yes,integer,NA,No,Yes,CONCEPT,CONCEPT_ID
person,year_of_birth,Yes,integer,"Line one
line two",No,No,NA,NA
person,location_id,No,integer,NA,No,Yes,LOCATION,LOCATION_ID
person,gender_source_value,No,varchar(50),NA,No,No,NA,NA
measurement,measurement_id,Yes,integer,NA,Yes,No,NA,NA
measurement,person_id,Yes,integer,NA,No,Yes,PERSON,PERSON_ID
measurement,measurement_date,Yes,date,NA,No,No,NA,NA
measurement,value_as_number,No,float,NA,No,No,NA,NA
"""
CROISSANT = {
    "@context": {"@vocab": "https://schema.org/", "cr": "http://mlcommons.org/croissant/", "recordSet": "cr:recordSet"},
    "@type": "sc:Dataset",
    "name": "ships",
    "distribution": [{"@type": "cr:FileObject", "@id": "ships.csv", "contentUrl": "https://example.org/ships.csv"}],
    "recordSet": [
        {
            "@type": "cr:RecordSet",
            "@id": "ports",
            "name": "ports",
            "dataType": "sc:Enumeration",
            "key": {"@id": "ports/code"},
            "field": [{"@type": "cr:Field", "@id": "ports/code", "name": "code", "dataType": "sc:Text"}],
            "data": [{"ports/code": "C"}, {"ports/code": "Q"}, {"ports/code": "S"}],
        },
        {
            "@type": "cr:RecordSet",
            "@id": "ships",
            "name": "ships",
            "field": [
                {
                    "@type": "cr:Field",
                    "@id": "ships/tons",
                    "name": "tons",
                    "dataType": "https://schema.org/Float",
                    "source": {"fileObject": {"@id": "ships.csv"}, "extract": {"column": "Tons (gross)"}},
                },
                {
                    "@type": "cr:Field",
                    "@id": "ships/port",
                    "name": "port",
                    "dataType": ["sc:Text", "wd:Q44782"],
                    "references": {"field": {"@id": "ports/code"}},
                },
                {"@type": "cr:Field", "@id": "ships/afloat", "name": "afloat", "dataType": "sc:Boolean"},
                {"@type": "cr:Field", "@id": "ships/crew", "name": "crew", "dataType": "cr:Int64"},
                {"@type": "cr:Field", "@id": "ships/master", "name": "master", "dataType": "sc:Text"},
            ],
        },
    ],
}


def said(tmp_path, document, table=None):
    path = tmp_path / ("d.csv" if isinstance(document, str) else "d.json")
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return potluck.columns_from(path, table)


def test_a_data_package_is_read_as_its_specification_says(tmp_path):
    found = said(tmp_path, PACKAGE, "patients")
    assert found.format == "frictionless"
    assert found.missing == ("", "NA")
    assert found.columns == {
        "age": {"kind": "number", "low": 0.0, "high": 110.0},
        "sex": {"kind": "category", "values": ["f", "m"]},
        "stage": {"kind": "category", "values": ["1", "2"]},
        "smoker": {"kind": "category", "values": ["nein", "ja"]},
        "birth": {"kind": "date", "format": "%d.%m.%Y"},
    }
    assert found.confirm == {
        "id": "a key, no two rows have the same",
        "creatinine": "range to confirm",
        "note": "text without declared values",
    }


def test_a_table_schema_alone_is_one_table(tmp_path):
    found = said(tmp_path, PACKAGE["resources"][0]["schema"])
    assert found.table == ""
    assert set(found.columns) == {"age", "sex", "stage", "smoker", "birth"}


def test_dates_have_the_format_that_the_specification_says(tmp_path):
    fields = [
        {"name": "day", "type": "date"},
        {"name": "moment", "type": "datetime", "format": "default"},
        {"name": "short", "type": "date", "format": "%d/%m/%y"},
        {"name": "loose", "type": "date", "format": "any"},
    ]
    found = said(tmp_path, {"fields": fields})
    assert found.columns == {
        "day": {"kind": "date", "format": "%Y-%m-%d"},
        "moment": {"kind": "date", "format": "%Y-%m-%dT%H:%M:%S"},
    }
    assert found.confirm == {"short": "%y leaves the century open", "loose": "a date of any format"}


def test_a_schema_in_another_file_is_not_opened(tmp_path):
    (tmp_path / "visits.schema.json").write_text(json.dumps(PACKAGE["resources"][0]["schema"]))
    with pytest.raises(UsageError, match="is in another file"):
        said(tmp_path, PACKAGE, "visits")


def test_pandera_checks_are_ranges_and_values_in_each_of_their_spellings(tmp_path):
    found = said(tmp_path, PANDERA)
    assert found.columns == {
        "age": {"kind": "number", "low": 18.0, "high": 99.0},
        "bmi": {"kind": "number", "low": 10.5, "high": 80.0},
        "sex": {"kind": "category", "values": ["f", "m"]},
        "site": {"kind": "category", "values": ["1", "2", "3"]},
        "dead": {"kind": "category", "values": ["false", "true"]},
    }
    assert found.confirm == {
        "pulse": "range to confirm",
        "x_.*": "a regular expression for several columns",
        "seen": "of type datetime64[ns]",
    }


def test_a_dictionary_in_yaml_says_what_it_says_in_json(tmp_path):
    for document, table in ((PANDERA, None), (PACKAGE, "patients"), (CROISSANT, None)):
        (tmp_path / "d.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        found = potluck.columns_from(tmp_path / "d.yaml", table)
        wanted = said(tmp_path, document, table)
        assert (found.columns, found.confirm, found.missing) == (wanted.columns, wanted.confirm, wanted.missing)


def test_plain_words_of_yaml_are_texts_unless_json_has_them(tmp_path):
    listed = "[yes, no, 010, 1:30, 2020-01-01, 1_000, 0x1, .inf, on, 1, 2.5, -1e3, true]"
    schema = "schema_type: dataframe\ncolumns:\n  a:\n    dtype: object\n    checks:\n      isin:\n        value: "
    (tmp_path / "d.yml").write_text(schema + listed)
    values = potluck.columns_from(tmp_path / "d.yml").columns["a"]["values"]
    words = ["yes", "no", "010", "1:30", "2020-01-01", "1_000", "0x1", ".inf", "on", "1", "2.5", "-1000.0", "true"]
    assert values == words


def test_omop_says_types_and_leaves_every_range_open(tmp_path):
    found = said(tmp_path, OMOP, "PERSON")
    assert found.columns == {}
    assert found.confirm == {
        "person_id": "a key, no two rows have the same",
        "gender_concept_id": "values to confirm",
        "year_of_birth": "range to confirm",
        "location_id": "a key of the table location",
        "gender_source_value": "text without declared values",
    }
    other = said(tmp_path, OMOP, "measurement")
    assert other.confirm["person_id"] == 'whose row it is: [data] person = "person_id"'
    assert other.confirm["value_as_number"] == "range to confirm"


def test_croissant_columns_have_the_names_that_the_file_has_and_values_of_enumerations(tmp_path):
    found = said(tmp_path, CROISSANT)
    assert found.table == "ships"
    assert found.columns == {
        "port": {"kind": "category", "values": ["C", "Q", "S"]},
        "afloat": {"kind": "category", "values": ["false", "true"]},
    }
    assert found.confirm == {
        "Tons (gross)": "range to confirm",
        "crew": "range to confirm",
        "master": "text without declared values",
    }


@pytest.mark.parametrize(
    ("document", "table"), [(PACKAGE, "patients"), (PANDERA, None), (OMOP, "person"), (CROISSANT, None)]
)
def test_the_toml_says_what_is_declared_and_comments_what_is_not(tmp_path, document, table):
    found = said(tmp_path, document, table)
    text = found.toml()
    read = tomllib.loads(text)
    assert read.get("data", {}).get("columns", {}) == found.columns
    assert read.get("data", {}).get("missing") == (None if found.missing is None else list(found.missing))
    for name, why in found.confirm.items():
        assert any(line.startswith("# ") and name in line and why in line for line in text.splitlines())


def test_what_is_half_known_stands_in_the_comment(tmp_path):
    text = said(tmp_path, PACKAGE, "patients").toml()
    assert '# creatinine = { kind = "number", low = 0.1 }  # range to confirm; may be missing' in text.splitlines()
    assert text.splitlines()[0] == "# 8 columns of patients, 3 to confirm"


def test_a_plan_takes_what_is_ready(tmp_path):
    found = said(tmp_path, PACKAGE, "patients")
    plan = potluck.Plan(
        name="p",
        purpose="q",
        task="statistics",
        federation={"sites": ["a", "b", "c"]},
        protect={"with": "mask"},
        privacy={"noise": "none"},
        data=found.data,
        statistics=[{"name": "m", "kind": "mean", "column": "age"}],
    )
    assert plan.require() == []
