"""`potluck docs`: pages are found by the names that people give them, copies write over nothing, and nothing outside of
the site is named."""

import pytest

from potluck.api.machine import pages

FILES = ("index.html", "404.html", "THREATS.html", "docs/index.html", "docs/reference/policy.html", "docs/a/same.html")
MORE = ("docs/b/same.html", "docs/concepts/prediction-tee.html", "docs/concepts/tee.html", "examples/visits.toml")


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    for name in (*FILES, *MORE, "examples/index.html", "examples/unit/a.service"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (tmp_path / "outside.toml").write_text("not ours")
    monkeypatch.setattr(pages, "PLACES", (tmp_path / "nowhere", folder))
    return folder


@pytest.mark.parametrize(
    ("asked", "name", "path"),
    [
        ("README.md", "README.md", "index.html"),
        ("docs/README.md", "docs/README.md", "docs/index.html"),
        ("docs/reference/policy.md#few-rows", "docs/reference/policy.md", "docs/reference/policy.html"),
        ("policy", "docs/reference/policy.md", "docs/reference/policy.html"),
        ("reference/policy", "docs/reference/policy.md", "docs/reference/policy.html"),
        ("tee", "docs/concepts/tee.md", "docs/concepts/tee.html"),
        ("threats", "THREATS.md", "THREATS.html"),
        ("a/same", "docs/a/same.md", "docs/a/same.html"),
        ("examples", "examples", "examples"),
        ("examples/visits.toml", "examples/visits.toml", "examples/visits.toml"),
    ],
)
def test_a_page_is_found_by_its_name(site, cli, asked, name, path):
    found = site / path
    assert cli("docs", asked, "--json").json == {"name": name, "file": str(found), "address": found.as_uri()}


def test_without_a_name_the_front_page_is_meant(site, cli):
    assert cli("docs").out == f"{(site / 'index.html').as_uri()}\n"


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("same", "name one: docs/a/same.md, docs/b/same.md"),
        ("policies", "did you mean docs/reference/policy.md? all pages: potluck docs docs/README.md"),
        ("predict", "did you mean docs/concepts/prediction-tee.md?"),
        ("xyz", "hint: all pages: potluck docs docs/README.md"),
        ("concepts/", "hint: docs/concepts/prediction-tee.md and docs/concepts/tee.md speak of it; all pages"),
    ],
)
def test_a_name_that_is_none_or_that_of_two_pages_has_a_hint(site, cli, asked, hint):
    said = cli("docs", asked)
    assert said.code == 2
    assert hint in said.err


@pytest.mark.parametrize("asked", ["../outside.toml", "examples/../../outside.toml", "..", "."])
def test_nothing_outside_of_the_site_is_found_or_copied(site, cli, asked, tmp_path):
    assert cli("docs", asked).code == 2
    assert cli("docs", asked, "-o", tmp_path / "copy").code == 2
    assert not (tmp_path / "copy").exists()


def test_a_file_or_a_folder_is_copied_without_pages(site, cli, tmp_path):
    (site / "examples" / "__pycache__").mkdir()  # an installation compiles what is Python
    said = cli("docs", "examples", "-o", tmp_path / "mine")
    assert said.out == f"{tmp_path / 'mine'}\n"
    assert {one.name for one in (tmp_path / "mine").rglob("*")} == {"visits.toml", "unit", "a.service"}
    assert cli("docs", "examples/unit/a.service", "-o", tmp_path / "a.service").code == 0
    assert (tmp_path / "a.service").read_text() == "examples/unit/a.service"


def test_without_a_name_the_whole_site_is_copied(site, cli, tmp_path):
    assert cli("docs", "-o", tmp_path / "web").code == 0
    names = [{one.relative_to(folder) for one in folder.rglob("*")} for folder in (site, tmp_path / "web")]
    assert names[0] == names[1]


@pytest.mark.parametrize(
    ("asked", "to", "what"),
    [
        ("examples", "site", "is there already"),
        ("examples/visits.toml", "outside.toml", "is there already"),
        ("docs/concepts/tee.html", "tee.html", "no file or folder that can be copied"),
        ("examples/visits.toml", "no/folder.toml", "cannot be written"),
    ],
)
def test_a_copy_writes_over_nothing_and_a_page_is_not_copied(site, cli, tmp_path, asked, to, what):
    said = cli("docs", asked, "-o", tmp_path / to)
    assert said.code == 2
    assert what in said.err
    assert (tmp_path / "outside.toml").read_text() == "not ours"


def test_a_checkout_without_pages_says_how_to_build_them(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "PLACES", (tmp_path,))
    said = cli("docs")
    assert said.code == 2
    assert "make docs" in said.err
