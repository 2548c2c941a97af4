"""Sheets: small tables of what a study says, on their way into a database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["int", "number", "text", "flag"]
"""What a column holds: whole numbers, numbers, texts, or true and false. Each may be null."""


@dataclass(frozen=True)
class Sheet:
    """A table: its columns with their kinds, and its rows; a column that a row lacks is null."""

    kinds: Mapping[str, Kind]
    rows: Sequence[Mapping[str, object]]

    def __bool__(self) -> bool:
        return bool(self.rows)
