"""Whom the site's process tells of a request: once, together, without a shell, and never so that the site waits."""

import json
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from potluck.api.network import members
from potluck.api.network.doctor import examine
from potluck.api.network.running import notify as module
from potluck.api.network.running.notify import AGAIN, EVERY, LIMIT, LOOK, RETRY, Notifier, message
from potluck.core.errors import UsageError
from potluck.members.home import SiteHome
from potluck.owner.access import AccessLog
from potluck.owner.access import read as read_log
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Requests
from support.console.home import ask, policy, spec
from support.net.broker_rig import until

NOW = time.time()
LISTEN = '#!/bin/sh\nprintf "%s\\n" "$#" "$@" >> heard\ncat >> heard\n'


@dataclass
class Owner:
    """A site whose owner is told by `tell.sh`, a shell script beside the policy."""

    home: SiteHome
    notifier: Notifier
    said: list[str] = field(default_factory=list)

    def script(self, text: str) -> Path:
        path = self.home.folder / "tell.sh"
        path.write_text(text)
        path.chmod(0o700)
        return path

    def asked(self, run: str, **changes: str) -> str:
        asker = changes.pop("asker", "hospitals")
        found = ask(self.home.folder, spec(**changes), run, asker)
        self.notifier.heard("request", "pending", run)
        return found

    def done(self, now: float) -> None:
        """Look until the program has ended."""
        self.notifier.look(now)
        until(lambda: (self.notifier.look(now), self.notifier._child is None)[1], "the program ends")

    @property
    def messages(self) -> list[dict]:
        """What the program read, each beginning with its arguments."""
        path = self.home.folder / "heard"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines if line.startswith("{")]

    @property
    def log(self) -> list[tuple]:
        entries = read_log(self.home.access).entries
        return [(one.outcome, *one.why) for one in entries if one.event == "notify"]


@pytest.fixture
def owner(tmp_path):
    members.site_new(tmp_path / "a", None)
    home = SiteHome.at(tmp_path / "a")
    policy(home.folder, '# command = ["tell.sh", "officer@hospital.example"]', 'command = ["tell.sh", "it\'s", "$(x)"]')
    policy(home.folder, "# link =", "link =")
    said = []
    with Requests(home.requests) as requests:
        one = Owner(home, Notifier(home, AccessLog(home.access), requests, said.append), said)
        one.script(LISTEN)
        one.notifier.began()
        with closing(one.notifier):
            yield one


def test_a_request_is_told_with_what_one_has_to_know(owner):
    plan = owner.asked("r1")
    owner.done(NOW)
    assert (owner.home.folder / "heard").read_text().splitlines()[:3] == ["2", "it's", "$(x)"]
    (told,) = owner.messages
    (request,) = told.pop("requests")
    assert told == {"version": 1, "site": "a", "more": 0}
    assert request.pop("when").endswith("+00:00")
    link = f"https://potluck.hospital.example/requests/{plan}?run=r1"
    assert request == {"hash": f"sha256:{plan}", "plan": "p", "asker": "hospitals", "link": link}
    assert owner.log == [("done",)]
    owner.notifier.look(NOW)  # nothing new
    assert len(owner.messages) == 1


def test_the_link_leads_to_where_the_pages_were_shown_last_unless_the_policy_says_where(owner):
    policy(owner.home.folder, 'link = "https', '# link = "https')
    plan = owner.asked("r1")
    (one,) = owner.notifier.requests.pending()
    for said, link in (
        (None, None),
        ("https://p.example:8443\n", f"https://p.example:8443/requests/{plan}?run=r1"),
        ("http://localhost:8711\n", f"http://localhost:8711/requests/{plan}?run=r1"),
        ("javascript:alert(1)", None),
        ("https://evil.example/path x", None),
    ):
        if said is not None:
            owner.home.pages.write_text(said)
        (request,) = message(owner.home, read_policy(owner.home.policy).notify, [one])["requests"]
        assert request["link"] == link


EVIL = ['a\n{"version": 2}\n', "$(touch owned)", "`touch owned`", "'; touch owned; '", '"\\ \x1b[2J\u202e', "x" * 5000]


@pytest.mark.parametrize("name", EVIL, ids=range(len(EVIL)))
def test_names_of_others_are_text_and_nothing_else(owner, name):
    owner.asked("r1", name=name, asker=name[:200])
    owner.done(NOW)
    (told,) = owner.messages
    (request,) = told["requests"]
    assert (owner.home.folder / "heard").read_text().splitlines()[:3] == ["2", "it's", "$(x)"]
    for said in (request["plan"], request["asker"]):
        assert said.isprintable()
        assert len(said) <= 200
    assert not (owner.home.folder / "owned").exists()


def test_the_names_above_do_act_where_a_shell_reads_them(tmp_path):
    """The control."""
    subprocess.run(f"echo {EVIL[1]}", shell=True, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    assert (tmp_path / "owned").exists()


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie that its new parent has not reaped has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_program_gets_a_few_named_variables_and_none_that_may_hold_a_secret(owner, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    monkeypatch.setenv("HOME", "/home/site")
    owner.script("#!/bin/sh\nexec env > told\n")
    owner.asked("r1")
    owner.done(NOW)
    told = dict(line.split("=", 1) for line in (owner.home.folder / "told").read_text().splitlines())
    assert told["HOME"] == "/home/site"
    assert set(told) <= module.PASSED | {"PWD", "SHLVL", "_", "OLDPWD"}  # what the shell adds


def test_a_program_that_hangs_keeps_nobody_waiting_and_is_killed_with_all_that_it_started(owner):
    owner.script("#!/bin/sh\nsleep 1000 & echo $! > child\ntrap '' TERM\necho $$ > leader\nsleep 1000\n")
    owner.asked("r1")
    for _ in range(3):
        owner.notifier.look(NOW)  # each returns at once
    assert owner.notifier._child is not None
    files = [owner.home.folder / one for one in ("child", "leader")]
    until(lambda: all(one.exists() and one.read_text() for one in files), "it runs")
    pids = [int(one.read_text()) for one in files]
    owner.notifier.look(NOW + LIMIT - 1)
    assert not any(map(gone, pids))  # the control
    owner.notifier.look(NOW + LIMIT)
    until(lambda: all(map(gone, pids)), "both are gone")
    assert owner.log == [("aborted", "not done within 30 seconds")]
    assert owner.said[-1] == "warning: nobody was told of what waits: not done within 30 seconds"


def test_what_a_program_leaves_behind_ends_with_it(owner):
    owner.script("#!/bin/sh\nsleep 1000 & echo $! > child\nexit 0\n")
    owner.asked("r1")
    owner.done(NOW)
    until(lambda: gone(int((owner.home.folder / "child").read_text())), "it is gone")
    assert owner.log == [("done",)]


def test_a_program_that_prints_without_end_is_read_within_a_bound(owner):
    owner.script("#!/bin/sh\nexec yes 's3cr3t\x1b[2J'\n")
    owner.asked("r1")
    owner.notifier.look(NOW)
    child = owner.notifier._child
    until(lambda: (owner.notifier.look(NOW), child.size > 1 << 20)[1], "it has printed a lot")
    assert len(child.printed) <= module.PRINTED
    owner.notifier.look(NOW + LIMIT)
    assert owner.notifier._child is None
    assert owner.said[-2] == "notify.command said: s3cr3t\\u{1b}[2J"
    assert "s3cr3t" not in owner.home.access.read_text()


def test_a_storm_of_requests_is_one_message_and_the_next_a_minute_later(owner):
    for number in range(30):
        owner.asked(f"r{number}", name=f"n{number}")
    owner.done(NOW)
    owner.asked("late", name="late")
    owner.done(NOW + EVERY - 1)
    assert [(len(one["requests"]), one["more"]) for one in owner.messages] == [(20, 10)]
    owner.asked("later", name="later")
    owner.done(NOW + EVERY)
    assert [one["plan"] for one in owner.messages[1]["requests"]] == ["late", "later"]


def test_who_asks_for_ever_more_runs_wakes_nobody_all_night(owner, monkeypatch):
    owner.asked("r")
    (one,) = owner.notifier.requests.pending()
    started = []
    monkeypatch.setattr(Notifier, "_start", lambda it, notify, due, now: started.append(due[0].run))
    for minute in range(3 * 60):
        monkeypatch.setattr(Requests, "pending", lambda it, run=f"r{minute}": (replace(one, run=run),))
        owner.notifier.heard("request", "pending", f"r{minute}")
        owner.notifier.look(NOW + minute * EVERY)
    assert started[:3] == ["r0", "r1", "r2"]
    assert 10 + 3 * 4 - 1 <= len(started) <= 10 + 3 * 4 + 1


def test_what_is_asked_again_and_again_is_told_once_a_day_and_anew_after_a_decision(owner):
    owner.asked("r1")
    for minute in range(5):
        owner.notifier.heard("request", "pending", "r1")
        owner.done(NOW + minute * 2 * EVERY)
    assert len(owner.messages) == 1
    owner.done(NOW + AGAIN)
    assert len(owner.messages) == 2
    owner.notifier.heard("request", "approved", "r1")
    owner.notifier.heard("request", "pending", "r1")  # a step was repeated too often: the owner is asked again
    owner.done(NOW + AGAIN + EVERY)
    assert len(owner.messages) == 3


@pytest.mark.parametrize("broken", ["#!/bin/sh\nexit 3\n", "#!/nowhere/sh\n"])
def test_what_came_to_nothing_is_tried_again_in_a_quarter_of_an_hour(owner, broken):
    owner.script(broken)
    owner.asked("r1")
    owner.done(NOW)
    owner.script(LISTEN)
    owner.done(NOW + RETRY - LOOK)
    assert owner.messages == []
    owner.done(NOW + RETRY)
    assert len(owner.messages) == 1


def again(owner) -> Notifier:
    """Another process of the site."""
    made = Notifier(owner.home, AccessLog(owner.home.access), owner.notifier.requests, owner.said.append)
    made.began()
    return made


def test_a_new_process_tells_what_nobody_was_told_of_and_no_more(owner):
    owner.script("#!/bin/sh\nexit 3\n")
    owner.asked("r1")
    owner.done(NOW)
    assert owner.log == [("aborted", "exit code 3")]
    owner.script(LISTEN)
    owner.notifier = again(owner)
    owner.done(NOW)
    assert len(owner.messages) == 1
    owner.notifier = again(owner)
    owner.done(NOW)
    assert len(owner.messages) == 1


def test_it_ends_with_the_sites_process(owner):
    owner.script("#!/bin/sh\necho $$ > leader; exec sleep 1000\n")
    owner.asked("r1")
    owner.notifier.look(NOW)
    until(lambda: (owner.home.folder / "leader").exists() and (owner.home.folder / "leader").read_text(), "it runs")
    owner.notifier.close()
    assert gone(int((owner.home.folder / "leader").read_text()))
    assert owner.log == [("aborted", "ended with the site's process")]


def writable(owner):
    (owner.home.folder / "tell.sh").chmod(0o772)


def grouped(owner):
    (owner.home.folder / "tell.sh").chmod(0o770)


def folder_of_others(owner):
    outside = owner.home.folder.parent / "open"
    outside.mkdir()
    (owner.home.folder / "tell.sh").rename(outside / "tell.sh")
    outside.chmod(0o777)
    (owner.home.folder / "tell.sh").symlink_to(outside / "tell.sh")


def link_of_others(owner):
    outside = owner.home.folder.parent / "open"
    outside.mkdir()
    (owner.home.folder / "tell.sh").rename(owner.home.folder.parent / "mine.sh")
    (outside / "way").symlink_to("../mine.sh")
    (owner.home.folder / "tell.sh").symlink_to("../open/way")
    outside.chmod(0o777)


def absent(owner):
    (owner.home.folder / "tell.sh").unlink()


def no_program(owner):
    (owner.home.folder / "tell.sh").chmod(0o600)


def no_interpreter(owner):
    owner.script("#!/nowhere/sh\n")


def test_a_program_behind_links_of_the_owners_is_run(owner):
    link_of_others(owner)
    (owner.home.folder.parent / "open").chmod(0o755)
    owner.asked("r1")
    owner.done(NOW)
    assert len(owner.messages) == 1


@pytest.mark.parametrize(
    "change", [writable, grouped, folder_of_others, link_of_others, absent, no_program, no_interpreter]
)
def test_what_others_could_have_changed_or_cannot_run_is_not_run_and_the_doctor_says_so(owner, change):
    change(owner)
    owner.asked("r1")
    owner.done(NOW)
    assert owner.messages == []
    ((outcome, why),) = owner.log
    assert outcome == "refused"
    assert why.startswith("notify.command")
    (finding,) = [one for one in examine(owner.home.folder, quick=True) if one.topic == "notify"]
    assert finding.state == ("look" if change is no_interpreter else "bad")
    assert finding.hint


def test_a_message_that_came_to_nothing_is_a_finding_and_one_that_arrived_is_good(owner):
    owner.asked("r1")
    owner.done(NOW)
    finding = next(one for one in examine(owner.home.folder, quick=True) if one.topic == "notify")
    assert (finding.state, finding.what) == ("good", "tell.sh is told of requests")
    owner.script("#!/bin/sh\nkill -9 $$\n")
    owner.asked("r2", name="q")
    owner.done(NOW + EVERY)
    finding = next(one for one in examine(owner.home.folder, quick=True) if one.topic == "notify")
    assert "came to nothing: ended by signal 9" in finding.what


def test_a_policy_says_no_command_that_is_none(tmp_path):
    members.site_new(tmp_path / "a", None)
    for bad in ('command = [""]', 'command = ["a\\nb"]', 'link = "http://evil.example"', 'link = "https://x/y"'):
        path = tmp_path / "a" / "policy.toml"
        text = path.read_text()
        path.write_text(text.replace("[notify]", f"[notify]\n{bad}"))
        with pytest.raises(UsageError, match=r"notify\.(command|link)"):
            read_policy(path)
        path.write_text(text)
