"""`check` says plainly which files are not here: "can run" alone would be half of the truth."""

import pytest

from potluck.tasks.sums import estimate


def test_check_says_which_file_has_to_be_there_before_the_plan_can_run(shops, cli, monkeypatch):
    assert cli("check", shops / "plan.toml").out.startswith("plan.toml can run: ")  # the control
    (shops / "b.csv").unlink()
    said = cli("check", shops / "plan.toml")
    assert said.code == 0  # across machines every owner names its own file, and the plan can run
    assert said.out.startswith("plan.toml can run here once 1 file is there: data.files.b (b.csv) not found: ")
    assert "1 not found here, so no rows were read: data.files.b. hint: `run` and `up` need one for every site" in (
        said.err
    )
    assert cli("run", shops / "plan.toml", "--out", shops / "r").code == 2  # it was not to be
    monkeypatch.setattr(estimate, "not_here", lambda plan, data: {})  # the control: as it was, and now the error shows
    assert cli("check", shops / "plan.toml").code == 2


def test_its_json_names_the_files(shops, cli):
    assert cli("check", shops / "plan.toml", "--json").json["files_not_found"] == {}
    (shops / "b.csv").unlink()
    sets = ("--set", 'data.files={a="a.csv", b="b.csv", d="gone/d.csv"}')
    found = cli("check", shops / "plan.toml", *sets, "--json").json
    assert found["ok"]
    assert found["files_not_found"] == {"data.files.b": "b.csv", "data.files.c": None, "data.files.d": "gone/d.csv"}
    assert found["data"] == {}
    said = cli("check", shops / "plan.toml", *sets)
    words = (
        "once 3 files are there: data.files.b (b.csv), data.files.c (names none), data.files.d (gone/d.csv) not found"
    )
    assert words in said.out


def test_a_plan_without_files_can_run_across_machines_and_lacks_none(shops, cli):
    said = cli("check", shops / "plan.toml", "--set", "data.files={}")
    assert said.out.startswith("plan.toml can run: ")
    assert "data.files" not in said.err


def test_rows_of_one_class_are_refused_as_run_refuses_them_and_not_where_noise_hides_it(shops, cli):
    one = ("--set", 'data.target={column="bought", positive=["never"], negative=["yes", "no"]}')
    checked, ran = cli("check", shops / "plan.toml", *one), cli("run", shops / "plan.toml", "--out", shops / "r", *one)
    assert (checked.code, ran.code) == (2, 2)
    words = "the target 'bought' has one class"
    assert words in checked.out
    assert words in ran.err
    noise = ("--set", 'privacy={noise="shared", unit="row", epsilon=8, delta=1e-5, clip=1}')
    gradient = ("--set", 'training={method="gradient", rounds=2, rate=0.5}', "--set", "training.expected_rows=30")
    noised = cli("check", shops / "plan.toml", *one, *noise, *gradient)
    assert noised.code == 0, noised.err  # no exact sum tells a server that there is one class


@pytest.mark.parametrize("width", [80, 60])
@pytest.mark.parametrize("options", [("--collude", "server,b,c,d"), ("--all",)])
def test_what_parties_see_together_can_be_read_in_a_narrow_terminal(shops, cli, monkeypatch, width, options):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = cli("explain", shops / "plan.toml", *options).out.splitlines()
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for thing in ("a's update", "the sum", "the model", "a's metrics"):
        assert any(line.startswith(f"  {thing}  ") for line in lines), text
    assert "│" not in text
    words = [word for line in lines[1:] for word in line.split()]
    assert len(text.replace(" ", "")) / len(words) > 4  # no word is broken into letters
