"""Enrolment and the real nats-server: who is a member is let in, who no longer is, is not, while it runs."""

import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from potluck.api.network import broker as brokers
from potluck.api.network import members as api
from potluck.api.network.line import line
from potluck.api.network.membership.compared import shown
from potluck.core.errors import Refused, UsageError
from potluck.members.home import CoordinatorHome, SiteHome
from potluck.net import broker
from potluck.net.link import Link
from potluck.net.session import Account
from support.ports import free_port

NOW = time.time()


@contextmanager
def serving(folder):
    """The broker of a coordinator's home, for the time of the block."""
    try:
        command = broker.arguments(folder)
    except UsageError as error:
        pytest.skip(str(error))
    room = folder / "broker"
    process = subprocess.Popen(command, cwd=room, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while not broker.answers(folder):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
        yield
    finally:
        process.terminate()
        process.wait(60)


def connect(membership, parties=()):
    """Once in and out again, with the keys and the federation of a home."""
    it = membership.federation
    link = Link(Account(it.id, membership.me, it.broker, it.ca, membership.keys.user.seed), parties)
    try:
        link.open(10)
    finally:
        link.close()


def test_the_broker_lets_in_the_members_of_the_newest_version(tmp_path):
    chief, a, b = tmp_path / "hospitals", tmp_path / "a", tmp_path / "b"
    api.federation_new(chief, f"tls://127.0.0.1:{free_port()}", NOW)
    made = [api.site_new(home) for home in (a, b)]
    with serving(chief):
        api.federation_add(chief, [one.card for one in made], NOW)
        for home in (a, b):
            api.site_join(home, chief / "federation.toml", NOW)
        server = CoordinatorHome.at(chief).open(NOW)
        connect(server, tuple(server.federation.cards))
        for home in (a, b):
            connect(SiteHome.at(home).open(NOW))
        old = SiteHome.at(a).open(NOW)
        fresh = api.site_rotate(a)
        api.federation_rotate(chief, [fresh.card], NOW, keys=True, days=30)
        api.site_join(a, chief / "federation.toml", NOW)
        connect(SiteHome.at(a).open(NOW))
        connect(CoordinatorHome.at(chief).open(NOW), tuple(server.federation.cards))
        for gone in (old, server):
            with pytest.raises(Refused, match="does not know this key"):
                connect(gone)
        api.federation_remove(chief, "b", NOW)
        with pytest.raises(Refused, match="does not know this key"):
            connect(SiteHome.at(b).open(NOW))
        connect(SiteHome.at(a).open(NOW))


def test_a_server_of_an_older_copy_puts_its_file_not_in_a_newer_ones_place(tmp_path):
    """The control: the home that signed the newer file serves."""
    chief, heir = tmp_path / "hospitals", tmp_path / "heir"
    api.federation_new(chief, f"tls://127.0.0.1:{free_port()}", NOW)
    shutil.copytree(chief, heir)
    newest = api.federation_add(chief, [api.site_new(tmp_path / "a").card], NOW).file.read_bytes()
    with serving(chief):
        assert api.federation_post(chief, 60) == ""
        home, said = CoordinatorHome.at(heir), []
        brokers._put_up(heir, said.append)
        assert "the broker shows version 2" in said[0]
        with pytest.raises(Refused, match="the broker shows version 2"), line(home, home.open(NOW)):
            pass
        home = CoordinatorHome.at(chief)
        with line(home, home.open(NOW)):
            pass
        assert shown(home) == newest


def test_a_broker_that_starts_puts_up_the_file_that_was_signed_while_it_was_away(tmp_path):
    chief, said = tmp_path / "hospitals", []
    api.federation_new(chief, f"tls://127.0.0.1:{free_port()}", NOW)
    with serving(chief):
        assert api.federation_post(chief, 60) == ""
    newest = api.federation_add(chief, [api.site_new(tmp_path / "a").card], NOW).file.read_bytes()
    home = CoordinatorHome.at(chief)
    with serving(chief):
        assert shown(home, 60) != newest  # the control
        brokers._put_up(chief, said.append)
        assert shown(home) == newest
        brokers._put_up(chief, said.append)
    assert said == ["it shows version 2"]  # once


@pytest.mark.slow
def test_a_broker_whose_verb_is_killed_is_gone_with_it(tmp_path):
    chief = tmp_path / "hospitals"
    api.federation_new(chief, f"tls://127.0.0.1:{free_port()}", NOW)
    command = [sys.executable, "-m", "potluck", "broker", str(chief)]
    verb = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert "nats-server" in verb.stderr.readline()
        children = Path(f"/proc/{verb.pid}/task/{verb.pid}/children").read_text().split()
        assert broker.answers(chief)
    finally:
        verb.kill()
        verb.wait(60)
        verb.stderr.close()
    end = time.monotonic() + 60
    while broker.answers(chief) or any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < end
        time.sleep(0.05)
