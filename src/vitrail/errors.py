"""One tree of typed errors.

Every error that a person may meet is a :class:`VitrailError`. Its text says what is wrong and what to do about
it, names the place (file, line, table, column, row number), and never contains a data value: neither a value from
a record nor a value from a file that somebody sent.
"""

from dataclasses import dataclass


class VitrailError(Exception):
    """Something that Vitrail expected might happen, told in one sentence of what and one of what to do.

    ``what`` and ``do`` are complete sentences. ``exit_status`` is what the command line returns: 1 where the
    answer is no (a check failed, a refusal), 2 where the call or its input is wrong.
    """

    exit_status = 2

    def __init__(self, what: str, do: str = "") -> None:
        super().__init__(f"{what} {do}".strip())
        self.what = what
        self.do = do


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a file that somebody wrote: where, what, and what to write instead.

    ``line`` and ``column`` count from 1. ``field`` is the way to the place in words of the schema; keys that people
    chose stand as their ordinal: ``cohorts[2].entry[1].value`` is the value of the first entry of the second cohort.
    """

    line: int
    column: int
    field: str
    what: str
    do: str

    def __str__(self) -> str:
        return (
            f"Line {self.line}, column {self.column}{self.field and ', '}{self.field}: {self.what}. {self.do}".strip()
        )


class StudyError(VitrailError):
    """A study says something that a study cannot say. ``problems`` are the first few, in the file's order."""

    exit_status = 1

    def __init__(self, what: str, do: str = "", problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(what, do)
        self.problems = problems


class StudyFileError(StudyError):
    """There is no study file, or it cannot be read."""

    exit_status = 2


class SourceError(VitrailError):
    """A source or its mapping file cannot be read."""


class SnapshotError(VitrailError):
    """A snapshot is missing, incomplete or damaged."""

    exit_status = 1


class EngineError(VitrailError):
    """An engine could not compute: the data are not what their table says, or there is not enough memory."""

    exit_status = 1


class TooLittleMemory(EngineError):
    """An engine may not take the memory that its question needs."""


class WireError(VitrailError):
    """A message cannot be read, is not canonical, or its signature does not fit."""


class NodeError(VitrailError):
    """A site's or hub's directory is missing, unfinished or of another kind."""


class TransportError(VitrailError):
    """The mailbox could not be reached, or did not take a message."""


class NotTaken(TransportError):
    """The other side has the message and will not take it, now or later."""

    exit_status = 1


class StoreError(VitrailError):
    """A node's database cannot be read or written."""


class LedgerError(VitrailError):
    """A ledger does not fit its own signed head."""

    exit_status = 1


class PolicyError(VitrailError):
    """A disclosure policy cannot be read, is not known, or does not fit the snapshot."""


class Refusal(VitrailError):
    """A site will not answer. ``code`` is all that leaves the site; ``what`` and ``do`` are for its steward."""

    exit_status = 1

    def __init__(self, code: str, what: str, do: str = "") -> None:
        super().__init__(what, do)
        self.code = code


class EvidenceError(VitrailError):
    """Evidence does not belong to the study that it is shown with."""
