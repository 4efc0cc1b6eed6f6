"""An intersection leaves nothing on the disk: the library's own scratch files lie where ours do, and go with them."""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from potluck.mpc.psi.keys import digests
from support.mpc.spu_rig import ROOTS, intersected, ring


@pytest.mark.parametrize("protocol", ["RR22", pytest.param("ECDH", marks=pytest.mark.slow)])
def test_no_key_and_no_row_number_is_left_in_the_folder_that_everybody_reads(mpc_engine, protocol):
    began = time.time()
    keys = [(f"{protocol} {os.getpid()} {number}",) for number in range(20)]
    with ring(protocol) as engines:
        assert len(intersected(engines, keys, keys)[0]) == 20
    whole = digests(keys)
    words = {whole[at : at + 16].hex() for at in range(0, len(whole), 16)}
    every = [one for one in Path(tempfile.gettempdir()).iterdir() if one.is_dir()]
    recent = [one for one in every if (said := now(one.stat)) and said.st_mtime >= began - 1]
    texts = (now(file.read_bytes) or b"" for folder in recent for file in folder.glob("*.csv"))
    assert not [text for text in texts if words & set(text.decode("ascii", "replace").split())]


def now(read):
    """What is read there; None: another test's, which is gone meanwhile."""
    with suppress(FileNotFoundError):
        return read()


@pytest.mark.slow
def test_the_librarys_trace_of_a_run_is_gone_with_it(mpc_engine):
    before = set(Path("/tmp").glob("psi_*.trace"))
    with ring("RR22") as engines:
        assert len(intersected(engines, [("1",)], [("1",)])[0]) == 1
        every = [engine._worker.pid for engine in engines]
        left = [now(one.read_bytes) or b"" for one in set(Path("/tmp").glob("psi_*.trace")) - before]
    assert None not in every
    assert not [body for body in left if any(process(number) in body for number in every)]


LINKED = f"""
import sys, time
sys.path += {ROOTS!r}
from support.mpc.spu_rig import ring
with ring("RR22"):
    print("linked", flush=True)
    time.sleep(120)
"""


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_no_folder_of_its_engines(mpc_engine, tmp_path):
    started = subprocess.Popen(
        [sys.executable, "-c", LINKED], env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, text=True
    )
    with started:
        assert started.stdout.readline() == "linked\n"
        assert len(list(tmp_path.glob("potluck-*"))) == 2
        started.kill()
    until = time.monotonic() + 20
    while list(tmp_path.glob("potluck-*")) and time.monotonic() < until:
        time.sleep(0.1)
    assert not list(tmp_path.glob("potluck-*"))


def process(number):
    """As a trace names a process: a varint behind the tag of field 1."""
    groups = [number >> shift & 127 for shift in range(0, number.bit_length(), 7)]
    return bytes([8, *(group | 128 for group in groups[:-1]), groups[-1]])
