"""A skip says what is missing; where CI=true nothing may be missing, so such a skip fails. Every test begins in an
empty folder of its own."""

import gc
import os
import shutil
import signal
import tempfile
import threading
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

from potluck.engines import environment
from support.repeated import repeated

# No claim here is about time: a machine with other work to do is no failure.
settings.register_profile("thorough", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=25)

# A shell's background job ignores Ctrl-C, and so would every program that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

MAY_SKIP = ("root may write anywhere",)


def _failed(report):
    reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if os.environ.get("CI") == "true" and report.skipped and not any(text in reason for text in MAY_SKIP):
        report.outcome = "failed"
        report.longrepr = f"skipped under CI=true: {reason}"


def pytest_configure(config):
    """`make test` draws fewer examples than `make test-all`."""
    settings.load_profile("fast" if config.option.markexpr == "not slow" else "thorough")


gc.disable()


def pytest_collection_finish():
    """What reading all tests makes stays until the end: to look through it for garbage takes a third of the time of
    reading them, and again later."""
    gc.freeze()
    gc.enable()


LONG = ("guides", "processes")
"""Rooms whose tests take long: they come first, so that no worker begins one when the others have nothing left."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.parent.name not in LONG)


HOME = pytest.StashKey[Path]()
OWN = "own"
NUMBERS = count(1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session):
    """Modules are read in a folder of this process, that nothing may be written to: a plan that is made there keeps
    its runs and ledgers there, where all tests find them."""
    session.config.stash[HOME] = Path(tempfile.mkdtemp(prefix="tests-")).resolve()
    session.config.stash[HOME].chmod(0o755)  # a database that a test starts runs as another user
    os.chdir(session.config.stash[HOME])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """A folder for what a test writes without saying where: a ledger that two of them share would refuse one."""
    own = item.config.stash[HOME] / OWN / str(next(NUMBERS))
    own.mkdir(parents=True)
    os.chdir(own)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item):
    """Whoever writes into the folder of all fails."""
    left = [one for one in item.config.stash[HOME].iterdir() if one.name != OWN]
    for one in left:  # so that nobody else fails for it
        shutil.rmtree(one, ignore_errors=True)
    assert left == [], "a plan that is made while modules are read lies in a folder of all: give out= and ledger="


def pytest_unconfigure(config):
    """Nothing is left."""
    if HOME in config.stash:
        os.chdir(Path(__file__).parent)
        shutil.rmtree(config.stash[HOME], ignore_errors=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    outcome = yield
    _failed(outcome.get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report():
    outcome = yield
    _failed(outcome.get_result())


@pytest.fixture
def repeatable(request):
    """What parties draw follows from the test's name, so that no luck decides how it ends: for what correct noise fails
    more often than once in 1e7 runs."""
    with repeated(request.node.nodeid):
        yield


@pytest.fixture(autouse=True)
def few_rehearsals(request, monkeypatch):
    """`check` rehearses a plan with noise on two made-up tables, and looks for no better settings: these take a second,
    and most tests ask it about something else."""
    if "usefulness" not in request.path.parts:
        advice = "potluck.tasks.sums.usefulness.advice."
        monkeypatch.setattr(advice + "TABLES", range(2))
        monkeypatch.setattr(advice + "PASSES", 0)
        monkeypatch.setattr(advice + "EPSILONS", ())


@pytest.fixture(scope="session")
def he_engine():
    """The installed engine `he`; where it is missing the test is skipped, or fails under CI=true."""
    found = environment.installed("he")
    if found is None:
        pytest.skip("the engine he is not installed (potluck engine install he)")
    return found


@pytest.fixture(scope="session")
def mpc_engine():
    """The installed engine `mpc`; where it is missing the test is skipped, or fails under CI=true."""
    found = environment.installed("mpc")
    if found is None:
        pytest.skip("the engine mpc is not installed (potluck engine install mpc)")
    return found
