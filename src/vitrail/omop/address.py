"""Addresses of PostgreSQL databases.

The password comes from where PostgreSQL's own programs take it: PGPASSWORD, PGPASSFILE or ``~/.pgpass``
(https://www.postgresql.org/docs/current/libpq-envars.html); an address that holds one is refused, for addresses end up
in shell histories and in messages.
"""

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from vitrail.errors import SourceError

SCHEMES = ("postgresql://", "postgres://")

ADDRESS = "Write it as postgresql://user@host/database?schema=cdm."


@dataclass(frozen=True)
class Address:
    """Where a database is. ``host`` may be the directory of a server's socket."""

    user: str | None
    host: str | None
    port: int | None
    database: str
    schema: str

    @classmethod
    def of(cls, text: str) -> "Address":
        """The address that ``text`` says. Raises SourceError, which does not repeat it."""
        try:
            parts = urlsplit(text)
            asked = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
            port = parts.port
        except ValueError as error:
            raise SourceError("The address of the database cannot be read.", ADDRESS) from error
        if parts.password is not None or "password" in asked:
            what = "The address of the database holds a password."
            raise SourceError(what, "Leave it out; set PGPASSWORD or PGPASSFILE, or write it into ~/.pgpass.")
        database = unquote(parts.path.lstrip("/"))
        if not database or "/" in database or not set(asked) <= {"schema", "host"} or parts.fragment:
            raise SourceError("The address of the database cannot be read.", ADDRESS)
        user = unquote(parts.username) if parts.username else None
        return cls(user, asked.get("host", parts.hostname), port, database, asked.get("schema", "public"))


def is_address(source: str) -> bool:
    """Whether a source is a database's address and not a path."""
    return source.startswith(SCHEMES)
