"""Reading and writing a node's database. The only way to write is to say what happened."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, LargeBinary, Row, Select, Table, cast, create_engine, event, func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import SQLAlchemyError

from vitrail import wire
from vitrail.errors import LedgerError, StoreError
from vitrail.store.tables import LEDGER, METADATA, SEAL

Seal = Callable[[str | None, bytes], str]
"""From the seal so far (None before the first entry) and the next entry to the new seal. Signs the head."""

EventKind = Literal[
    "made",  # the node's directory
    "joined",  # a site took the alliance manager's kit
    "member added",  # by the alliance manager
    "loaded",  # a snapshot came into use
    "waived",
    "erased",  # persons from every snapshot, or old snapshots, by the site's steward
    "proposed",  # a study
    "approved",  # a study, by the site's steward
    "refused",  # a study, by the site's steward
    "asked",  # one round's question
    "released",  # an answer, or a refusal to answer
    "delivered",  # a message reached the hub
    "not taken",  # the hub would not have a message
    "ignored",  # a message that is not what it should be
    "found",  # evidence
    "failed",  # a study that could not go on
]
"""Everything that a ledger entry may say happened."""


@dataclass(frozen=True)
class Event:
    """What happened, and to what: ``subject`` is a content hash or a name, ``details`` are plain JSON, never data."""

    kind: EventKind
    subject: str
    details: Mapping[str, wire.Json] = field(default_factory=dict)


class Writing:
    """One transaction that records one event; made by :meth:`Store.writing`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.changed = False

    def add(self, table: Table, **row: Any) -> bool:
        """Add a row unless one with the same key is there; whether it was added."""
        added = self._connection.execute(insert(table).values(row).on_conflict_do_nothing()).rowcount == 1
        self.changed |= added
        return added

    def put(self, table: Table, **row: Any) -> None:
        """Add a row, or replace the one with the same primary key."""
        keys = [column.name for column in table.primary_key]
        statement = insert(table).values(row).on_conflict_do_update(index_elements=keys, set_=row)
        self._connection.execute(statement)
        self.changed = True

    def rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        """What a query finds inside the transaction."""
        return self._connection.execute(statement).all()


class Store:
    """A node's database at ``path``, made where there is none. ``seal`` signs the ledger's head."""

    def __init__(self, path: Path, seal: Seal) -> None:
        self._seal = seal
        self._path = path
        self._engine = _engine(path)
        with self._typed_errors(), self._engine.begin() as connection:
            METADATA.create_all(connection)

    @contextmanager
    def writing(self, happened: Event) -> Iterator[Writing]:
        """A transaction in which rows are added and ``happened`` is entered in the ledger.

        Nothing is entered where nothing changed, so doing a thing twice records it once. An exception inside
        leaves everything as it was. Transactions that write wait for each other.
        """
        with self._typed_errors(), self._engine.execution_options(immediate=True).begin() as connection:
            writing = Writing(connection)
            yield writing
            if writing.changed:
                self._enter(connection, happened)

    def record(self, happened: Event) -> None:
        """Enter an event that changes no table."""
        with self._typed_errors(), self._engine.execution_options(immediate=True).begin() as connection:
            self._enter(connection, happened)

    def rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        """What a query finds."""
        with self._typed_errors(), self._engine.connect() as connection:
            return connection.execute(statement).all()

    def ledger(self) -> tuple[list[bytes], str | None]:
        """All entries in order, and the seal over them, as of one moment."""
        with self._typed_errors(), self._engine.begin() as connection:
            as_bytes = cast(LEDGER.c.entry, LargeBinary)  # whoever tampers may leave a text
            entries = connection.execute(select(as_bytes).order_by(LEDGER.c.seq)).scalars().all()
            return list(entries), connection.execute(select(SEAL.c.state)).scalar()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def _enter(self, connection: Connection, happened: Event) -> None:
        seq = connection.execute(select(func.coalesce(func.max(LEDGER.c.seq) + 1, 0))).scalar_one()
        entry = wire.canonical(
            {
                "seq": seq,
                "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "event": happened.kind,
                "subject": happened.subject,
                "details": dict(happened.details),
            }
        )
        state = connection.execute(select(SEAL.c.state)).scalar()
        if seq > 0 and state is None:
            raise LedgerError("The ledger's signed head is gone.", "Keep the database as it is; restore a backup.")
        state = self._seal(state, entry)
        connection.execute(insert(LEDGER).values(seq=seq, entry=entry))
        Writing(connection).put(SEAL, id=1, state=state)

    @contextmanager
    def _typed_errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise StoreError(
                f"{self._path} cannot be read or written ({type(error).__name__}).",
                "Check that it is a node's database, whole, writable, and on a disk with space.",
            ) from error


def read_entry(entry: bytes) -> Mapping[str, Any]:
    """A ledger entry as data: ``seq``, ``at``, ``event``, ``subject``, ``details``. Raises LedgerError."""
    try:
        found = dict(json.loads(entry))
        return {name: found[name] for name in ("seq", "at", "event", "subject", "details")}
    except (ValueError, TypeError, KeyError) as error:
        raise LedgerError("An entry of the ledger cannot be read.", "Run `vitrail ledger verify`.") from error


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _: object) -> None:
    """Full durability: what was committed survives a crash of the process and of the machine."""
    connection.isolation_level = None  # the driver must not begin transactions by itself
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    """Writers take the lock at once: one that reads first and writes later could find the world changed."""
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
