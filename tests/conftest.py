"""A skip says what is missing; where CI=true nothing may be missing, so such a skip fails."""

import os

import pytest

MAY_SKIP = ("root may write anywhere",)


def _failed(report):
    reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if os.environ.get("CI") == "true" and report.skipped and not any(text in reason for text in MAY_SKIP):
        report.outcome = "failed"
        report.longrepr = f"skipped under CI=true: {reason}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    outcome = yield
    _failed(outcome.get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report():
    outcome = yield
    _failed(outcome.get_result())
