"""The guide "confidential-vm.md": its section on TPMs is run as it is written, and all calls in it are known."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from potluck.cli import potluck
from support.guides.page import Mail, Type, Write, steps
from support.places import ROOT
from support.tee.swtpm import running

GUIDE = ROOT / "docs" / "guides" / "confidential-vm.md"
TEXT = GUIDE.read_text(encoding="utf-8")


def section(heading: str) -> str:
    return next(part for part in re.split(r"^## ", TEXT, flags=re.MULTILINE) if part.startswith(f"{heading}\n"))


def calls() -> list[list[str]]:
    """The words of every call of potluck in a block, after its name; lines that end in \\ go on."""
    blocks = "\n".join(body for _, body in re.findall(r"^```(\w+)[^\n]*\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))
    lines = blocks.replace("\\\n", " ").splitlines()
    found = [re.sub(r"^\w+[#$] ", "", line) for line in lines]
    found = [re.sub(r"\$\(cat \w+\)", "00", line) for line in found]
    return [shlex.split(line)[1:] for line in found if line.startswith("potluck ")]


def test_every_call_in_the_guide_is_one_that_the_command_line_takes():
    assert {" ".join(words[:2]) for words in calls()} >= {"tee attest", "tee policy", "tee verify", "tee measure"}
    for words in calls():
        command: click.Command = potluck
        context = None
        while isinstance(command, click.Group):
            context = click.Context(command, parent=context)
            inner = command.get_command(context, words[0])
            assert inner is not None, words
            command, words = inner, words[1:]
        command.make_context("guide", words)  # raises where an option or a word is not known


def test_the_words_for_attesters_in_the_table_are_those_there_are():
    from potluck.api.machine.attest import WORDS

    rows = re.findall(r"^\| [^|]+\| `(\w+)` \|", section("4. Which attester"), re.MULTILINE)
    assert sorted(rows) == sorted(WORDS)


def typed(step: Type, folder: Path, socket: Path) -> subprocess.CompletedProcess[str]:
    """As it stands, but for the TPM: a software one in place of the machine's."""
    line = step.line.replace("--attester tpm", f"--attester tpm --device {socket}")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"TPM2TOOLS_TCTI": f"swtpm:path={socket}", "PATH": path}
    words = ["bash", "-c", line]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def places(tmp_path):
    folders = {"vm": tmp_path / "vm", "owner": tmp_path / "owner"}
    for folder in folders.values():
        folder.mkdir()
    page = tmp_path / "page.md"
    page.write_text(
        re.sub(r"^```sh\n.*?^```$", "", section("6. A TPM"), flags=re.MULTILINE | re.DOTALL), encoding="utf-8"
    )
    with running() as tpm:
        for number in (4, 7):  # as firmware does when a machine starts
            tpm.tool("tpm2_pcrextend", f"{number}:sha256={number:064x}")
        yield folders, steps(page), tpm


def carry_out(folders, todo, tpm, change=lambda step: step):
    """The command that failed and what it said; or "" and what the last one printed."""
    last = ""
    for step in map(change, todo):
        if isinstance(step, Mail):
            shutil.copy(folders[step.sender] / step.path, folders[step.to[0]] / Path(step.path).name)
            if step.path == "ek.pub":
                vendors_word(folders, tpm)
        elif isinstance(step, Write):
            (folders[step.machine] / step.path).write_text(step.text, encoding="utf-8")
        else:
            done = typed(step, folders[step.machine], tpm.socket)
            if done.returncode:
                return step.line, done.stderr
            last = done.stdout
    return "", last


def vendors_word(folders, tpm):
    """The endorsement key as a vendor's certificate would say it: from the TPM itself, by other tools."""
    tpm.tool("tpm2_createek", "-c", "own.ctx", "-G", "rsa", "-u", "own.pub")
    tpm.tool("tpm2_readpublic", "-c", "own.ctx", "-f", "der", "-o", "own.der")
    out = subprocess.run(
        ["openssl", "base64", "-A", "-in", tpm.folder / "own.der"], capture_output=True, text=True, check=True
    )
    (folders["owner"] / "ek.txt").write_text(out.stdout)


def test_the_section_on_tpms_is_run_as_it_stands_and_ends_accepted(places):
    folders, todo, tpm = places
    assert len(todo) > 20
    where, said = carry_out(folders, todo, tpm)
    assert where == ""
    assert said.startswith("accept: tpm")


@pytest.mark.slow
def test_another_tpms_endorsement_key_is_refused_where_the_guide_says(places):
    folders, todo, tpm = places
    with running() as other:

        def swap(step):
            if isinstance(step, Type) and step.line.endswith("challenge.py"):
                vendors_word(folders, other)
            return step

        where, said = carry_out(folders, todo, tpm, swap)
    assert where.endswith("challenge.py")
    assert "not among 1 trusted endorsement keys" in said


@pytest.mark.slow
def test_a_quote_for_another_nonce_is_refused_at_the_last_line(places):
    folders, todo, tpm = places

    def stale(step):
        if isinstance(step, Type) and "tee attest" in step.line:
            (folders["vm"] / "nonce").write_text("00" * 32)
        return step

    where, _ = carry_out(folders, todo, tpm, stale)
    assert where.startswith("potluck tee verify")
