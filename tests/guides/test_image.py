"""The image of the Containerfile is built where a builder is at hand; a site lives in it, its root read-only."""

import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from support.docs import wheel
from support.places import ROOT

CONTAINERFILE = ROOT / "examples" / "compose" / "Containerfile"
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
USER = 10001


def missing() -> str:
    """Why no image is built here; empty where one is."""
    absent = [name for name in ("podman", "debootstrap") if shutil.which(name) is None]
    if absent:
        return f"needs {' and '.join(absent)} (apt-get install --no-install-recommends podman crun debootstrap)"
    return "" if os.geteuid() == 0 else "needs root, to make a base image"


def done(*words: str | Path, code: int = 0, cwd: Path | None = None) -> str:
    """What a command says on stdout. Raises AssertionError: it ends otherwise."""
    environ = os.environ | {"PODMAN_IGNORE_CGROUPSV1_WARNING": "1"}
    ended = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False, cwd=cwd, env=environ)
    assert ended.returncode == code, (words, ended.returncode, ended.stdout[-1500:] + ended.stderr[-1500:])
    return ended.stdout


@pytest.mark.slow
@pytest.mark.timeout(3600)  # layers are copied whole, and a busy machine takes its time
@pytest.mark.skipif(bool(missing()), reason=missing())
def test_an_image_is_built_without_a_registry_and_a_site_lives_in_it(tmp_path, tmp_path_factory):
    rootfs, folder, homes = tmp_path / "rootfs", tmp_path / "wheel", tmp_path / "homes"
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates", "trixie", str(rootfs)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no base image can be made here: {made.stdout[-200:]}")
    if AUTHORITIES.is_file():  # of a house whose proxy has a certificate of its own
        shutil.copy(AUTHORITIES, rootfs / "etc/ssl/certs/ca-certificates.crt")
    limits = []
    for name, of in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
        limits += ["--ulimit", f"{name}={resource.getrlimit(of)[1]}:{resource.getrlimit(of)[1]}"]
    stored = ["--root", tmp_path / "store", "--runroot", tmp_path / "run", "--storage-driver", "vfs"]
    runtime = ["--runtime", "runc"] if shutil.which("runc") else []
    podman = ["podman", *stored, *runtime, "--cgroup-manager", "cgroupfs"]
    archive = tmp_path / "base.tar"
    done("tar", "-C", rootfs, "-cf", archive, ".")
    done(*podman, "import", archive, "localhost/base")
    shutil.rmtree(rootfs)
    folder.mkdir()
    (packed,) = (wheel.shared(tmp_path_factory) / "wheel").glob("potluck-*.whl")
    shutil.copy(packed, folder)
    arguments = ["--build-arg", "BASE=localhost/base", "--build-arg", "EXTRAS=", "--network", "host", *limits]
    done(*podman, "build", *arguments, "-t", "localhost/potluck", "-f", CONTAINERFILE, folder)
    homes.mkdir(mode=0o700)
    os.chown(homes, USER, USER)
    confined = ["--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges", "--network", "none", *limits]
    run = [*podman, "run", "--rm", *confined, "-v", f"{homes}:/potluck"]
    assert "potluck, version" in done(*run, "localhost/potluck", "--version")
    assert "fingerprint" in done(*run, "localhost/potluck", "site", "new", "/potluck/cleveland")
    told = done(*run, "localhost/potluck", "site", "doctor", "/potluck/cleveland", code=3)
    assert "has not joined a federation yet" in told
    assert "are this user's alone" in told
    shell = [*run, "--entrypoint", "/bin/sh", "localhost/potluck", "-c"]
    assert done(*shell, "id -u; nats-server --version").startswith(f"{USER}\nnats-server: v2")
    done(*shell, "touch /opt/potluck/x", code=1)  # the root is read-only
    assert (homes / "cleveland" / "site.toml").stat().st_uid == USER
