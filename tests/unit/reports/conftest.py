"""The hand-made study and evidence, and the page that is made of them."""

from types import ModuleType

import pytest

from tests.unit.reports import made as by_hand
from vitrail.reports.evidence import render


@pytest.fixture(scope="session")
def made() -> ModuleType:
    """Everything in ``made.py``."""
    return by_hand


@pytest.fixture(scope="session")
def page() -> str:
    """The report of the hand-made evidence."""
    return render(by_hand.study(), by_hand.evidence())
