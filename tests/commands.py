"""The command line within the tests' own process, and a site to load into."""

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from vitrail.cli import main
from vitrail.site.directory import SiteDirectory


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


def bare_site(path: Path, secret: str = "5a" * 32) -> SiteDirectory:
    """A directory that can be loaded into, and nothing else of a site: a secret of its own, no keys, no ledger."""
    (path / "keys").mkdir(parents=True)
    (path / "snapshots").mkdir()
    (path / "site.json").write_text(json.dumps({"vitrail": "site/1", "name": "north"}))
    (path / "keys" / "secret").write_text(secret)
    (path / "keys" / "secret").chmod(0o600)
    return SiteDirectory.open(path)
