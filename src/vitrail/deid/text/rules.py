"""The rules: an ordered tuple of plain functions from a page to what they found."""

from collections.abc import Callable, Iterator

from vitrail.deid.text.codes import find_codes
from vitrail.deid.text.dates import find_dates
from vitrail.deid.text.localities import find_localities
from vitrail.deid.text.page import Page
from vitrail.deid.text.people import find_people
from vitrail.deid.text.spans import Span
from vitrail.deid.text.whereabouts import find_whereabouts

RULES: tuple[Callable[[Page], Iterator[Span]], ...] = (
    find_dates,
    find_codes,
    find_people,
    find_localities,
    find_whereabouts,
)


def find_by_rules(page: Page) -> Iterator[Span]:
    """Everything that some rule finds."""
    for rule in RULES:
        yield from rule(page)
