"""A real software TPM, and the tools with which a machine's owner speaks to it."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

TOOLS = ("swtpm", "tpm2_createek", "tpm2_createak", "tpm2_quote")
PATIENCE = 20


def missing():
    found = [name for name in TOOLS if not shutil.which(name)]
    return f"{', '.join(found)} missing (apt-get install swtpm tpm2-tools)" if found else None


@dataclass(frozen=True)
class Tpm:
    """folder: where the tools read and write; socket: what the TPM listens on."""

    folder: Path
    socket: Path

    def tool(self, *words):
        """Run one tool of tpm2-tools, and take the loaded objects out of the TPM's few places again."""
        out = self._run(words)
        self._run(("tpm2_flushcontext", "-t"))
        return out

    def _run(self, words):
        environment = os.environ | {"TPM2TOOLS_TCTI": f"swtpm:path={self.socket}"}
        return subprocess.run(
            words, cwd=self.folder, env=environment, capture_output=True, text=True, check=True, timeout=PATIENCE
        ).stdout

    def read(self, name):
        return (self.folder / name).read_bytes()

    def keys(self, handle="0x81010002", name="ak", kind=("-G", "rsa", "-g", "sha256", "-s", "rsassa")):
        """An endorsement key, and an attestation key under it at a persistent handle."""
        self.tool("tpm2_createek", "-c", "ek.ctx", "-G", "rsa", "-u", "ek.pub")
        self.tool(
            "tpm2_createak", "-C", "ek.ctx", "-c", f"{name}.ctx", *kind, "-u", f"{name}.pub", "-n", f"{name}.name"
        )
        self.tool("tpm2_evictcontrol", "-c", f"{name}.ctx", handle)

    def activate(self, credential, handle="0x81010002"):
        """What the TPM makes of a challenge: the secret. Raises CalledProcessError where it refuses."""
        (self.folder / "credential").write_bytes(credential)
        self._run(("tpm2_startauthsession", "--policy-session", "-S", "session.ctx"))
        try:
            self._run(("tpm2_policysecret", "-S", "session.ctx", "-c", "e"))
            self._run(
                (
                    "tpm2_activatecredential", "-c", handle, "-C", "ek.ctx", "-i", "credential", "-o", "secret",
                    "-P", "session:session.ctx",
                )
            )  # fmt: skip
        finally:
            self._run(("tpm2_flushcontext", "session.ctx"))
            self._run(("tpm2_flushcontext", "-t"))
        return self.read("secret")


@contextlib.contextmanager
def running():
    """A TPM with a state of its own, ended by its process id. Its sockets need a short path: hence no tmp_path."""
    if why := missing():
        pytest.skip(why)
    folder = Path(tempfile.mkdtemp(prefix="tpm-")).absolute()
    (folder / "state").mkdir()
    socket, control = folder / "tpm", folder / "tpm.ctrl"
    words = [
        "swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder / 'state'}", "--flags", "not-need-init,startup-clear",
        "--server", f"type=unixio,path={socket}", "--ctrl", f"type=unixio,path={control}",
    ]  # fmt: skip
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE
        while not (socket.exists() and control.exists()):
            assert process.poll() is None, "swtpm ended"
            assert time.monotonic() < until, "swtpm does not listen"
            time.sleep(0.02)
        yield Tpm(folder, socket)
    finally:
        process.terminate()
        process.wait(PATIENCE)
        shutil.rmtree(folder)
