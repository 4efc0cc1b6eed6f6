"""A skip says what is missing; where CI=true nothing may be missing, so such a skip fails."""

import os
import signal
import threading

import pytest
from hypothesis import settings

from potluck.engines import environment

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


LONG = ("guides", "processes")
"""Rooms whose tests take long: they come first, so that no worker begins one when the others have nothing left."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.parent.name not in LONG)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    outcome = yield
    _failed(outcome.get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report():
    outcome = yield
    _failed(outcome.get_result())


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
