"""What every test may use, and the rule that CI fails on a skip that nobody expected."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

CAN_INSTALL = os.geteuid() == 0 and Path("/etc/debian_version").exists()
"""Whether `make system` could install what a test needs."""

EXPECTED_SKIPS = {
    r"^the test data are not at ": True,  # the data sets have their own licences and are no part of the project
    r"the extra `spark` is not installed$": True,  # 434 MB, for a test of `make soak`
    r" is not installed$": not CAN_INSTALL,  # a program that `make system` installs, and here cannot
}
"""The reasons for which a test may be skipped in CI (regular expression: whether it is allowed here)."""

settings.register_profile("vitrail", deadline=None)  # no test hangs on how fast the machine is
settings.load_profile("vitrail")


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root."""
    return ROOT


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Where the data sets lie that are no part of the project; skips where they are absent."""
    path = Path(os.environ.get("VITRAIL_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"the test data are not at {path} (set VITRAIL_TEST_DATA)")
    return path


_unexpected: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember the skips that nobody expected."""
    _remember(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """The same for whole files."""
    _remember(report)


def _remember(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and isinstance(report.longrepr, tuple) and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not any(allowed and re.search(pattern, reason) for pattern, allowed in EXPECTED_SKIPS.items()):
            _unexpected.append(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a CI run in which a test was skipped unexpectedly."""
    if os.environ.get("CI") and _unexpected and session.exitstatus in (0, 5):
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which skips were not expected."""
    if _unexpected:
        terminalreporter.section("skips that tests/conftest.py does not expect")
        for line in _unexpected:
            terminalreporter.line(line)
