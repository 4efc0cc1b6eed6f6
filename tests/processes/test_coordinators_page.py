"""A whole run from a browser: broker, three sites and `server web` as processes; a plan is sent, its owners approve,
the page follows the rounds, and the report is read."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from potluck.api.network import inbox
from potluck.api.network import members as api
from potluck.api.network.history import history
from potluck.api.network.office.submitted import submitted
from potluck.api.network.sessions import Order
from potluck.api.plan.plan import Plan
from potluck.members.home import CoordinatorHome, SiteHome
from potluck.owner.access import read
from potluck.owner.requests import Requests
from support.console import office as offices
from support.console.browser import chromium, violations
from support.net.broker_rig import need_broker, until
from support.owner.policies import OPEN
from support.parties import scene
from support.ports import HOST, free_port

NAMES = "abc"


@contextlib.contextmanager
def running(*arguments):
    """A verb of the real program; gives its process."""
    command = [sys.executable, "-m", "potluck", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture
def federation(tmp_path):
    """The coordinator's home, with a broker and three sites whose owners are asked, all running."""
    need_broker()
    fed, now = tmp_path / "hospitals", time.time()
    api.federation_new(fed, f"tls://{HOST}:{free_port()}", now, 30)
    for name, rows in scene.frames(NAMES, 60).items():
        api.site_new(tmp_path / name, None)
        (tmp_path / name / "policy.toml").write_text(OPEN.replace('rule = "policy"', 'rule = "person"'))
        rows.to_csv(tmp_path / name / "rows.csv", index=False)
    api.federation_add(fed, [tmp_path / name / f"{name}.card" for name in NAMES], now)
    with contextlib.ExitStack() as stack:
        stack.enter_context(running("broker", fed))
        for name in NAMES:
            api.site_join(tmp_path / name, fed / "federation.toml", now, "")
            stack.enter_context(running("site", "run", tmp_path / name))
        yield fed


def plan() -> Plan:
    """Rounds enough to be seen, with looks at validation rows."""
    found = scene.plan(NAMES, dropouts=0, patience=60.0).set("data.split", {"test": 0.3, "validation": 0.2})
    return found.set("training.rounds", 40).set("training.evaluate_every", 1).set("name", "from-a-browser")


def approve(home):
    """Its owner says yes to what waits."""
    found, waiting = SiteHome.at(home), []

    def asked():
        if found.requests.exists():
            with Requests(found.requests) as book:
                waiting[:] = [one.hash for one in book.pending()]
        return waiting

    until(asked, f"{home.name} is asked")
    (hash,) = waiting
    verb = [sys.executable, "-m", "potluck", "site", "approve", str(home), hash, "--person", "owner"]
    subprocess.run(verb, check=True, capture_output=True, env=os.environ)


@pytest.mark.slow
@pytest.mark.browser
def test_a_run_from_a_plan_in_a_browser_to_its_report(federation, tmp_path):
    with (
        running("server", "web", federation, "--port", "0", "--person", "ann", "--json") as pages,
        chromium() as browser,
    ):
        told = json.loads("".join(pages.stdout.readline() for _ in range(4)))
        origin = f"http://localhost:{told['port']}"
        page, heard = browser.new_context(viewport={"width": 1400, "height": 900}).new_page(), []
        page.context.set_default_timeout(180_000)
        page.on("console", lambda one: heard.append(one.text))
        page.goto(told["address"])
        page.click("main button")
        page.wait_for_url(f"{origin}/")
        page.goto(f"{origin}/sites")
        until(lambda: (page.reload(), "3 of 3" in page.inner_text("dl.facts"))[1], "all are connected")
        file = tmp_path / "sent.toml"
        file.write_text(offices.toml(plan()))
        page.goto(f"{origin}/new")
        page.set_input_files("#file", file)
        page.click("text=Check it")
        page.wait_for_url("**/plans/*")
        assert "40 rounds" in page.inner_text("main")
        page.click("button:has-text('Start the run')")
        page.wait_for_url("**/runs/*")
        run = page.url.rpartition("/")[2]
        page.wait_for_selector("text=waits for its owner")
        for name in NAMES:
            approve(tmp_path / name)
        page.wait_for_selector("text=AUC on validation rows", state="attached")  # by news alone: nobody loads the page
        assert violations(page) == []
        page.wait_for_selector("text=What came of it")
        assert "Finished." in page.inner_text("main")
        with page.context.expect_page() as opened:
            page.click("text=Read the report")
        report = opened.value
        report.wait_for_selector("text=from-a-browser")
        with page.expect_download() as kept:
            page.click("text=The model")
        assert json.loads(kept.value.path().read_text())["kind"] == "logistic"
        assert heard == []
    entries = [(one.event, one.person, one.run) for one in read(federation / "access.jsonl").entries]
    assert ("submit", "ann", run) in entries


@pytest.mark.slow
def test_a_run_that_a_person_at_one_site_denies_waits_at_no_other(federation):
    homes, made = [federation.parent / name for name in NAMES], plan()

    def waiting(which):
        return [SiteHome.at(home).requests.exists() and len(inbox.inbox(home)) for home in which]

    with running("server", "web", federation, "--port", free_port()):
        submitted(CoordinatorHome.at(federation), made, Order(person="ann", office=True), False)
        until(lambda: waiting(homes) == [1, 1, 1], "all are asked", 120)
        inbox.decide(homes[1], "deny", made.hash.removeprefix("sha256:"), "bob", "no")
        until(lambda: waiting(homes) == [0, 0, 0], "nobody is asked", 120)
    words = [one.fate.word for home in homes for one in history(home)]
    assert words == ["ended: another party refused it", "denied by bob", "ended: another party refused it"]
