"""check, explain, score, report and the shape of the command line."""

import csv
import errno
import json
import subprocess
import sys

import pytest

NOISE = 'privacy={noise="shared", unit="row", epsilon=2.0, delta=1e-5, clip=1.0}'
GRADIENT = 'training={method="gradient", rounds=5, rate=1.0, expected_rows=200}'


def test_check_says_what_it_will_cost(shops, cli):
    j = cli("check", shops / "plan.toml", "--json").json
    assert j["ok"] is True
    assert j["rounds"] == 3
    run = cli("run", shops / "plan.toml", "--out", shops / "r", "--json").json
    measured = run["rounds"][0]["bytes_up"] / 4
    assert j["bytes_up_per_site_round"] == pytest.approx(measured, rel=0.02)
    said = {"with": "mask", "recheck": True, "enclave": "simulated", "policy": None}
    assert j["values"]["protect"] == {**said, "compute": ["alpha", "beta", "gamma"]}
    assert j["grid"]["bits"] == 64
    noisy = cli("check", shops / "plan.toml", "--json", "--set", NOISE, "--set", GRADIENT).json
    assert 1.0 < noisy["epsilon"]["a"] <= 2.0


def test_check_warns_of_letters_that_no_mailbox_takes(shops, cli, monkeypatch):
    fits = cli("check", shops / "plan.toml", "--json").json
    monkeypatch.setattr("potluck.tasks.sums.estimate.LARGEST", 1000)
    heavy = cli("check", shops / "plan.toml", "--json").json
    assert heavy["ok"] is True
    assert [line for line in heavy["warnings"] if line not in fits["warnings"] and "at most 1,000 pass" in line]


def test_check_prints_its_json_even_where_the_plan_cannot_run(shops, cli):
    for setting in ('protect.with="xx"', "federation.corrupt=3", 'privacy={noise="reveal"}'):
        said = cli("check", shops / "plan.toml", "--json", "--set", setting)
        assert said.code == 2
        assert said.json["ok"] is False
        assert said.json["errors"]


def test_explain_says_once_what_holds_of_every_site_alike(shops, cli):
    said = cli("explain", shops / "plan.toml").out
    start = said.index("A site's update")
    mine = said[start : said.index("\n\n", start)]
    assert [line.split()[0] for line in mine.splitlines()[1:]] == ["Server", "Broker", "The", "Other"]
    assert "masked [1]" in mine
    assert "1 unless 2 of the other sites collude" in " ".join(said.split())
    assert "a's update" in cli("explain", shops / "plan.toml", "--all").out.replace("\n", " ")


def test_explain_lists_views_and_computes_collusion(shops, cli):
    j = cli("explain", shops / "plan.toml", "--json").json
    assert set(j) == {"views", "collude", "rows"}
    assert {"party", "of", "form", "breaks_if", "source"} <= set(j["views"][0])
    server = {v["of"]: v["form"] for v in j["views"] if v["party"] == "server"}
    assert server["a's update"] == "masked"
    assert "the sum" in server
    assert "the model" in server
    alone = {
        v["of"]: v["form"] for v in cli("explain", shops / "plan.toml", "--json", "--collude", "server").json["views"]
    }
    assert alone["a's update"] == "masked"
    many = {
        v["of"]: v["form"]
        for v in cli("explain", shops / "plan.toml", "--json", "--collude", "server,b,c,d").json["views"]
    }
    assert many["a's update"] == "plain"
    said = cli("explain", shops / "plan.toml", "--collude", "mallory")
    assert said.code == 2
    assert "mallory" in said.err


def test_score_writes_what_the_model_predicts(shops, cli):
    run = cli("run", shops / "plan.toml", "--out", shops / "r", "--json").json
    said = cli("score", run["model"]["file"], shops / "a.csv", "-o", shops / "scores.csv", "--json")
    assert said.code == 0, said.err
    assert said.json["rows"] == 80
    rows = list(csv.reader((shops / "scores.csv").read_text().splitlines()))
    assert len(rows) == 81
    assert all(0 <= float(row[-1]) <= 1 for row in rows[1:])
    # A run's folder will do, and what -o has written is not printed too.
    printed = cli("score", shops / "r", shops / "a.csv")
    assert printed.out == (shops / "scores.csv").read_text()
    silent = cli("score", shops / "r", shops / "a.csv", "-o", shops / "again.csv")
    assert (silent.out, silent.err) == ("", printed.err)  # warnings alone
    assert (shops / "again.csv").read_text() == printed.out
    assert cli("score", shops / "none.json", shops / "a.csv").code == 2
    assert cli("score", run["model"]["file"], shops / "none.csv").code == 2


def test_report_is_written_again_elsewhere(shops, cli):
    cli("run", shops / "plan.toml", "--out", shops / "r", "-q")
    said = cli("report", shops / "r", "-o", shops / "page.html", "--json")
    assert said.json == {"report": str(shops / "page.html")}
    assert "<html" in (shops / "page.html").read_text()
    assert cli("report", shops).code == 2


@pytest.mark.parametrize("arguments", [["nonsense"], ["run"], ["run", "x.toml", "--nope"], ["run", "nowhere.toml"]])
def test_wrong_usage_is_one_line_and_exit_2(cli, arguments):
    said = cli(*arguments)
    assert said.code == 2
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1


def test_help_names_every_verb(cli):
    said = cli("--help")
    for verb in ("demo", "check", "explain", "run", "score", "report", "budget"):
        assert verb in said.out


def test_the_command_is_installed_and_reads_no_stdin(shops):
    command = [sys.executable, "-m", "potluck", "check", str(shops / "plan.toml"), "--json"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["ok"] is True


def test_check_refuses_what_run_refuses(shops, cli):
    setting = 'data.columns.zzz={kind="number", low=0, high=1}'
    for verb in ("check", "run"):
        said = cli(verb, shops / "plan.toml", "--set", setting, *(["--json"] if verb == "check" else []))
        assert said.code == 2
        assert "zzz" in said.out + said.err
    assert cli("check", shops / "nowhere.toml", "--json").json["ok"] is False


def test_the_demo_says_who_sees_what_of_the_plan_as_run(cli, tmp_path):
    said = cli("demo", "--out", tmp_path / "d", "--set", 'protect.with="clear"', "--set", 'privacy={noise="none"}')
    assert said.code == 0, said.err
    assert "server sees cleveland's update: plain, the sum: sum" in said.out
    assert "masked" not in said.out


def test_no_argument_at_all_is_help(cli):
    said = cli()
    assert said.code == 2
    assert "run" in said.err
    assert len(said.err.splitlines()) > 5


def test_a_disk_that_is_full_is_no_bug(shops, cli, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("potluck.core.private.write", full)
    said = cli("run", shops / "plan.toml", "--out", shops / "r")
    assert said.code == 2
    assert "cannot be written (No space left on device)" in said.err
    assert not said.out
    assert not (shops / "r").exists()


def test_a_folder_in_place_of_a_file_is_called_one(shops, cli):
    said = cli("run", shops)
    assert said.code == 2
    assert "cannot be read (Is a directory)" in said.err
