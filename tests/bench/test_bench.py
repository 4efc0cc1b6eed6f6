"""The bench is listed and its results keep their shape. Nothing is timed here."""

import importlib
import json
import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from potluck.core.traits import TRAITS
from potluck.learning.statistics.kinds import KINDS
from support.places import ROOT

BENCH = ROOT / "bench"
KEYS = ["name", "ours", "peer", "peer_name", "ratio", "unit", "goal", "met", "measured"]
BOTH = ("clear", "mask")
FLOORS = ("goal", "raw broker", "one process")
STEPS = ("client encrypts", "owner scores", "client decrypts")
CENSUS = ("standardized", "as encoded", "20 rounds, clip 1")
BESIDE = ("floor", "peer")
PROTECTIONS = ("clear", "mask", "share", "he", "tee")
SITES = {"meta": 6}
"""Of statistics, where they are not 3."""
ASKED = {kind for one in TRAITS.entries.values() for kind in one.asks}
"""Kinds of statistic that a task counts, and no plan writes."""
PROMISED = [
    "mask client d=1e6 k=20 u32",
    "server unmask n=50",
    *(f"threshold sum d=1e6 20 bits n=3, ciphertext: {beside}" for beside in ("goal", "peer", "floor")),
    *(f"threshold sum d=1e6 20 bits n=3, {step}" for step in ("encrypt", "check or parse, and add", "one partial")),
    *(f"private prediction, logistic 30 features x4096, {step}" for step in STEPS),
    *(f"private prediction, network 784-64-10 square x1, {step}" for step in STEPS),
    *(f"private prediction, network 784-64-10 square x1, owner scores: {beside}" for beside in ("goal", "peer")),
    *(
        f"intersection of two, {size} keys each, members by rr22: {beside}"
        for size in ("1e5", "1e6")
        for beside in BESIDE
    ),
    *(f"intersection of two, 1e5 keys each, size: {beside}" for beside in BESIDE),
    *(f"secret-shared scores, logistic 30 features x1000: {beside}" for beside in ("peer", "plain")),
    *(
        f"round of share, 4 sites in memory, {size}{what}: {beside}"
        for size in ("d=1e5", "d=1e6")
        for what in ("", ", a site sends")
        for beside in BOTH
    ),
    *(
        f"headline, heart 20 rounds, {noise}, {word}: {what}"
        for noise in ("without noise", "epsilon 1")
        for word in ("mask", "share", "he", "tee")
        for what in ("processor seconds", "a site sends", "AUC")
    ),
    "bytes a site uploads, n=100 d=1e6",
    "bytes a site uploads, n=100 d=1e4",
    "bytes a site downloads, n=100 d=1e6",
    "bytes a site downloads, n=100 d=1e4",
    "whole round, 4 sites in memory, d=1e4",
    "whole round, 4 sites in memory, d=1e6",
    "discrete Gaussian, sigma=4",
    "discrete Gaussian, sigma=100",
    "discrete Gaussian, sigma=2^20",
    *(f"heart auc eps={epsilon}" for epsilon in ("0.5", "1", "3", "8")),
    *(f"census, 4 sites, shared noise, eps=0.5, {way}: {what}" for way in CENSUS for what in ("accuracy", "AUC")),
    *(f"mails, 5 sites, shared noise, eps=2.7, standardized: {what}" for what in ("accuracy", "AUC")),
    *(f"round over the network, 3 sites, tiny, {protect}: {beside}" for protect in BOTH for beside in FLOORS),
    *(f"round over the network, 3 sites, tiny, {protect}: peer" for protect in BOTH),
    *(f"round over the network, 3 sites, d=1e6, {protect}: {beside}" for protect in BOTH for beside in FLOORS[1:]),
    *(f"round over the network, {count} sites, tiny, clear" for count in (10, 30, 100, 300)),
    *(f"round over the network, {count} sites, tiny, mask" for count in (10, 30, 100)),
    *(f"a page of the owner, {what}" for what in ("100 requests wait", "100 asked", "10,000 lines")),
    *(f"a page of the coordinator, {what}" for what in ("100 runs", "10,000 lines")),
    *(f"verify {kind}-" for kind in ("snp", "tdx", "sgx", "nitro", "tpm")),
    "seal 64 MiB to an enclave",
    *(f"fit over columns, {size} at 2 owners, newton" for size in ("10,000 x 20", "30,000 x 23")),
    *(
        f"fit over columns, 10,000 x 20 at 2 owners, 5 gradient steps: {beside}"
        for beside in ("peer", "plain", "auc beside the peer", "auc")
    ),
    "poisoning, heart, va x-10: best rule",
    *(f"round of tee, 4 sites in memory, {size}" for size in ("d=1e4", "d=1e6")),
    *(f"a step of a graph, {network}" for network in ("MLP", "CNN", "transformer")),
    *(f"pictures a second of processor time at a site, {network}" for network in ("CNN", "ResNet")),
    *(f"an image read, {kind}" for kind in ("PNG of 28", "PNG of 1024", "DICOM", "packed NIfTI")),
    "round over the network, 3 sites, d=1e7, mask",
    "round over the network, 3 sites, ResNet",
    "round over the network, 3 sites, MiniLM with LoRA",
    *(
        f"{kind} of 60,000 rows at {SITES.get(kind, 3)} sites, {word}: {what}"
        for kind in KINDS.words()
        if kind not in ASKED
        for word in PROTECTIONS
        for what in ("seconds", "a site sends")
        if (word, what) != ("clear", "a site sends")
    ),
    *(
        f"clipped sum of gradients, {network}, batch {batch}, {what}"
        for network, batch in (("MLP of 1.0 million weights", 256), ("CNN of 26,000 weights", 256))
        for what in (
            *(f"processor time: {way}" for way in ("plain", "hooks", "ghost", "jax")),
            "and on the grid",
            "on the grid, and its noise",
            *(f"peak memory: {way}" for way in ("plain", "hooks", "ghost")),
        )
    ),
    *(
        f"clipped sum of gradients, transformer with LoRA, batch 32, {what}"
        for what in ("processor time: plain", "processor time: hooks", "processor time: ghost", "peak memory: plain")
    ),
    "boosted trees, census, 30,000 rows: AUC",
    *(f"additive, census, 30,000 rows, eps={epsilon}: AUC" for epsilon in ("1", "0.5")),
    *(
        f"{kind}, census, 30,000 rows, 3 rounds, {word}: {what}"
        for kind in ("trees", "additive")
        for word in PROTECTIONS
        for what in ("seconds", "a site sends")
        if (word, what) != ("clear", "a site sends")
    ),
    *(f"Fashion-MNIST, 5 sites, {split}" for split in ("evenly", "Dirichlet 0.5")),
    *(
        f"Fashion-MNIST, 5 sites, eps=2.7, one seed, scattering and a linear layer: accuracy{what}"
        for what in ("", ": peer")
    ),
]


@pytest.fixture(scope="module")
def results():
    return json.loads((BENCH / "results.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", ["README.md", "docs/concepts/proof.md"])
def test_what_attacks_found_under_each_protection_is_shown_as_it_was_measured(page):
    text = (BENCH.parent / page).read_text(encoding="utf-8")
    measured = (BENCH / "proof.md").read_text(encoding="utf-8")
    assert f"<!-- bench/proof.md -->\n{measured}<!-- end -->" in text


def test_the_tables_in_the_benchs_readme_are_those_of_the_results(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(BENCH))
    results = importlib.import_module("harness.results")
    page = BENCH / "README.md"
    copy = tmp_path / "README.md"
    copy.write_text(page.read_text(encoding="utf-8"), encoding="utf-8")
    results.publish(results.read(), copy)
    assert copy.read_text(encoding="utf-8") == page.read_text(encoding="utf-8")
    assert results.page([]).startswith(results.EMPTY)


def test_every_figure_that_is_promised_is_there(results):
    names = [row["name"] for row in results]
    assert len(set(names)) == len(names)
    assert [figure for figure in PROMISED if not any(name.startswith(figure) for name in names)] == []


def test_every_row_has_the_documented_keys_and_finite_numbers(results):
    for row in results:
        assert list(row) == KEYS
        assert all(isinstance(row[key], str) and row[key] for key in ("name", "peer_name", "unit"))
        assert all(math.isfinite(row[key]) and row[key] > 0 for key in ("ours", "peer", "ratio"))
        assert row["goal"] is None or row["goal"] > 0


def test_the_ratio_is_one_of_the_two_ways_round_and_met_follows_from_it(results):
    for row in results:
        better = row["ours"] / row["peer"]
        assert any(math.isclose(row["ratio"], value, rel_tol=1e-9) for value in (better, 1 / better))
        assert row["met"] is (row["goal"] is None or row["ratio"] >= row["goal"])


def test_less_is_better_and_more_is_better_have_the_better_way_round(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(BENCH))
    measure, results = (importlib.import_module(f"harness.{name}") for name in ("measure", "results"))
    faster = measure.less("time", (1.0, 3.0), "peer", "s", goal=4.0)
    larger = measure.more("rate", (6.0, 3.0), "peer", "1/s")
    assert (faster.ratio, faster.met, larger.ratio, larger.met) == (3.0, False, 2.0, True)
    results.write([faster, larger], tmp_path / "results.json")
    assert [list(row) for row in json.loads((tmp_path / "results.json").read_text())] == [KEYS, KEYS]


@pytest.mark.slow
def test_the_groups_are_listed_without_any_peer_installed():
    hidden = "import sys; sys.modules.update(flwr=None, opendp=None); import runpy; sys.argv = ['run.py', '--list']; "
    code = f"{hidden}sys.path.insert(0, {str(BENCH)!r}); runpy.run_path({str(BENCH / 'run.py')!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 36
    assert all(": " in line for line in done.stdout.splitlines())


def test_the_peers_find_torch_when_the_link_by_which_it_was_found_is_gone(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(BENCH))
    simulators = importlib.import_module("peers.simulators")
    (tmp_path / "packages" / "torch").mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "packages")
    origin = link / "torch" / "__init__.py"
    monkeypatch.setattr(simulators, "find_spec", lambda name: SimpleNamespace(origin=str(origin)))
    own = tmp_path / "home" / "lib" / "python3.11" / "site-packages"
    own.mkdir(parents=True)
    simulators.lend(tmp_path / "home")
    link.unlink()
    assert (Path((own / "lent.pth").read_text().strip()) / "torch").is_dir()


@pytest.mark.slow
def test_every_kind_of_statistic_is_what_its_oracle_says_before_it_is_timed(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    insights = importlib.import_module("groups.insights")
    assert set(insights.CASES) == set(KINDS.words()) - ASKED
    pooled = insights.made(6_000, 0)
    apart = [[kind for kind, case in insights.CASES.items() if case.noised is noised] for noised in (False, True)]
    found = {kind: one for some in apart for kind, one in insights.carried(some, "clear", pooled)[0].items()}
    for kind, result in found.items():
        insights.agree(kind, result, pooled)
        with pytest.raises(AssertionError, match=kind):
            insights.agree(kind, result, pooled[pooled["age"] < 60])
