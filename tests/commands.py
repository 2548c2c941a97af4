"""The command line within the tests' own process."""

import contextlib
import io
import sys
from dataclasses import dataclass

from vitrail.cli import main


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


def run(*words: object) -> Said:
    """Run ``vitrail`` with ``words``."""
    out, err = io.StringIO(), io.StringIO()
    before, status = sys.argv, 0
    sys.argv = ["vitrail", *map(str, words)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0
    finally:
        sys.argv = before
    return Said(status, out.getvalue(), err.getvalue())
