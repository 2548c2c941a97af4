"""The database of a node: what is written is recorded, together or not at all."""

import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from vitrail.errors import LedgerError, NodeError, StoreError
from vitrail.governance import ledger
from vitrail.governance.ledger import Sealer
from vitrail.store.alone import alone
from vitrail.store.store import Event, Store, Writing, read_entry
from vitrail.store.tables import MEMBERS, MESSAGES
from vitrail.wire import SigningKey

KEY = SigningKey.make()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "node.db", Sealer(KEY))


def test_a_change_and_its_entry_are_written_together(store: Store) -> None:
    with store.writing(Event("member added", "north", {"key": "k"})) as writing:
        assert writing.add(MEMBERS, name="north", key="k")
    (entry,) = map(read_entry, store.ledger()[0])
    assert (entry["seq"], entry["event"], entry["subject"], entry["details"]) == (
        0,
        "member added",
        "north",
        {"key": "k"},
    )
    assert [tuple(row) for row in store.rows(select(MEMBERS))] == [("north", "k")]


def test_an_exception_leaves_neither(store: Store) -> None:
    def interrupted() -> None:
        with store.writing(Event("member added", "north")) as writing:
            writing.add(MEMBERS, name="north", key="k")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert store.ledger() == ([], None)
    assert not store.rows(select(MEMBERS))


def test_doing_it_twice_records_it_once(store: Store) -> None:
    for _ in range(2):
        with store.writing(Event("member added", "north")) as writing:
            writing.add(MEMBERS, name="north", key="k")
    assert len(store.ledger()[0]) == 1


def test_a_write_without_an_event_does_not_type_check(tmp_path: Path) -> None:
    """Every public way to change a store asks for the event; mypy sees it where it is left out."""
    changing = {name for name in vars(Store) if not name.startswith("_")} - {"rows", "ledger", "close"}
    assert changing == {"writing", "record"}
    module = tmp_path / "forgetful.py"
    module.write_text(
        textwrap.dedent("""
            from vitrail.store.store import Event, Store

            def good(store: Store) -> None:
                with store.writing(Event("made", "x")):
                    pass

            def bad(store: Store) -> None:
                with store.writing():
                    pass
                store.record()
                store.writing(Event("invented", "x"))
        """)
    )
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", module], capture_output=True, text=True)
    assert [line.split("[")[-1] for line in done.stdout.splitlines()[:-1]] == ["call-arg]", "call-arg]", "arg-type]"]


def test_the_database_refuses_to_change_or_remove_an_entry(store: Store, tmp_path: Path) -> None:
    store.record(Event("made", "x"))
    with sqlite3.connect(tmp_path / "node.db") as raw:
        for statement in ("UPDATE ledger SET entry = x'00'", "DELETE FROM ledger"):
            with pytest.raises(sqlite3.IntegrityError, match="new entries only"):
                raw.execute(statement)


def test_an_entry_changed_behind_the_database_is_found(store: Store, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        store.record(Event("made", name))
    assert ledger.verify(*store.ledger(), KEY.public)[0] == 3
    with sqlite3.connect(tmp_path / "node.db") as raw:
        raw.execute("DROP TRIGGER ledger_no_update")
        raw.execute("UPDATE ledger SET entry = replace(entry, '\"b\"', '\"x\"') WHERE seq = 1")
    with pytest.raises(LedgerError):
        ledger.verify(*store.ledger(), KEY.public)


def test_nothing_is_written_once_the_head_is_gone(store: Store, tmp_path: Path) -> None:
    store.record(Event("made", "x"))
    with sqlite3.connect(tmp_path / "node.db") as raw:
        raw.execute("DELETE FROM seal")
    with pytest.raises(LedgerError, match="head is gone"):
        store.record(Event("made", "y"))
    assert len(store.ledger()[0]) == 1


def test_writers_wait_for_each_other(tmp_path: Path) -> None:
    """Two connections, as of two processes: every entry is there, in one order, under one head."""
    stores = [Store(tmp_path / "node.db", Sealer(KEY)) for _ in range(2)]

    def many(store: Store, name: str) -> None:
        for number in range(30):
            store.record(Event("made", f"{name}{number}"))

    threads = [threading.Thread(target=many, args=pair) for pair in zip(stores, "ab", strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries, seal = stores[0].ledger()
    assert [read_entry(entry)["seq"] for entry in entries] == list(range(60))
    assert ledger.verify(entries, seal, KEY.public)[0] == 60


def test_message_numbers_are_never_used_again(store: Store, tmp_path: Path) -> None:
    def send(name: str) -> None:
        with store.writing(Event("asked", name)) as writing:
            writing.add(MESSAGES, recipient="north", id=name, envelope="{}")

    send("first")
    with sqlite3.connect(tmp_path / "node.db") as raw:
        raw.execute("DELETE FROM messages")
    send("second")
    assert [row.seq for row in store.rows(select(MESSAGES))] == [2]


def test_full_durability_is_on(store: Store) -> None:
    with store._engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2}


def test_a_file_that_is_no_database_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "node.db").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="cannot be read or written"):
        Store(tmp_path / "node.db", Sealer(KEY))


def test_one_process_at_work_per_node(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(NodeError, match="another process"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass


def test_only_the_store_makes_transactions() -> None:
    """Nothing outside the store's room builds a Writing, which would be a write without an event."""
    source = Path(sys.modules[Writing.__module__].__file__ or "").parent.parent
    users = [path for path in source.rglob("*.py") if "Writing(" in path.read_text()]
    assert [path.name for path in users] == ["store.py"]
