"""A throw-away PostgreSQL on a free port of 127.0.0.1, run by somebody who is not root, ended by its process id."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg

from support.ports import free_port

ROLE, PASSWORD = "reader", "p%4:@/s3cr3t-31337"


def binaries() -> Path | None:
    """The newest PostgreSQL of Debian, or the one on PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("postgres")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def missing() -> str:
    """Why no server can be started here; empty if one can."""
    if binaries() is None:
        return "PostgreSQL is not installed (apt-get install postgresql)"
    if os.geteuid() == 0 and not any(entry.pw_name == "postgres" for entry in pwd.getpwall()):
        return "there is no user postgres to run PostgreSQL as, which refuses to run as root"
    return ""


def _user() -> tuple[str, int, int]:
    entry = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    return entry.pw_name, entry.pw_uid, entry.pw_gid


@contextmanager
def server() -> Iterator[int]:
    """The port. The superuser is called owner; pg_hba asks everybody for a password."""
    where = binaries()
    assert where is not None
    name, uid, gid = _user()
    folder = Path(tempfile.mkdtemp(prefix="potluck-pg-"))
    account = {"user": uid, "group": gid, "extra_groups": []} if os.geteuid() == 0 else {}
    try:
        (folder / "password").write_text(PASSWORD)
        os.chown(folder / "password", uid, gid)
        os.chown(folder, uid, gid)
        data, port = folder / "data", free_port()
        init = [where / "initdb", "-D", data, "-U", "owner", "-A", "scram-sha-256", "--pwfile", folder / "password"]
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "USER": name}
        subprocess.run(
            [*init, "-E", "UTF8", "--no-sync"], check=True, capture_output=True, cwd=folder, env=environment, **account
        )
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "fsync": "off"}
        options = [f"--{key}={value}" for key, value in settings.items()]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [where / "postgres", "-D", data, *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, env=environment, **account,
            )  # fmt: skip
        try:
            _ready(port, process)
            yield port
        finally:
            process.send_signal(2)  # fast shutdown: open connections are cut
            process.wait(30)
    finally:
        shutil.rmtree(folder)


def address(port: int, base: str = "postgres", user: str = "owner") -> str:
    return f"postgresql+psycopg://{user}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/{base}"


def connected(port: int) -> psycopg.Connection:
    return psycopg.connect(
        host="127.0.0.1", port=port, user="owner", password=PASSWORD, dbname="postgres", autocommit=True
    )


def _ready(port: int, process: subprocess.Popen[bytes]) -> None:
    import time

    end = time.monotonic() + 30
    while True:
        try:
            connected(port).close()
        except psycopg.OperationalError:
            if time.monotonic() > end or process.poll() is not None:
                raise
            time.sleep(0.05)
        else:
            return
