"""What a page is made of: tables, figures with the table that says the same, and flow diagrams.

A cell is text that is ready to read. The word ``suppressed`` in a cell is a value of its own, and the page gives
it its own mark; it is never 0 and never empty.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Pane:
    """How one site looks on every picture of a page: a colour of the palette and a shape, both by ``number``.

    A ``silent`` site answered nothing.
    """

    site: str
    number: int
    silent: bool = False


def panes(sites: Iterable[str], silent: Iterable[str]) -> Mapping[str, Pane]:
    """A pane for each site, those that gave no answer last, so that a site looks the same wherever it appears."""
    last = set(silent)
    ordered = sorted(set(sites) | last, key=lambda site: (site in last, site))
    return {site: Pane(site, number, site in last) for number, site in enumerate(ordered)}


@dataclass(frozen=True)
class Column:
    """The head of a column; ``pane`` where the column is one site's."""

    head: str
    pane: Pane | None = None
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One row: its head, what the head means, and its cells.

    A ``group`` row heads the rows below that are ``inside`` it, and has no cells.

    ``difference`` is a standardised difference to draw beside its cell, the last one.
    """

    head: str
    cells: tuple[str, ...] = ()
    note: str = ""
    pane: Pane | None = None
    group: bool = False
    inside: bool = False
    difference: float | None = None


@dataclass(frozen=True)
class Table:
    """Rows under columns; ``columns[0]`` heads the row heads."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A picture as inline SVG; ``title`` names it and ``text`` says in words what it shows."""

    svg: str
    title: str
    text: str


@dataclass(frozen=True)
class Card:
    """What one site's trial of the model comes to: a few numbers, each with its name and interval, and sentences."""

    pane: Pane
    people: str
    figures: tuple[tuple[str, str, str], ...]
    sentences: tuple[str, ...]
