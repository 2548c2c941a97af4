"""What a source gave: OMOP rows in the staging database, and an account of every row of every file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import duckdb

from vitrail.ingest.records import Account
from vitrail.omop.snapshot import Origin, Quarantined
from vitrail.omop.tables import Column

Columns = Mapping[str, Sequence[Column]]
"""The columns that are wanted of each OMOP table; the others are not even parsed."""


@dataclass(frozen=True)
class Extract:
    """The views ``extract.<table>`` of the staging database, with where they came from.

    ``ignored`` tells what was passed over in each file: for a table the places of the columns that OMOP does not
    know. ``periods`` says how observation periods came about; see :class:`vitrail.omop.snapshot.Manifest`. ``derived``
    counts what was made, merged or inferred by a convention, under a constant name for each.
    """

    origin: Origin
    calendar: Literal["none", "shifted", "true"]
    periods: Literal["given", "mapping/1", "events/1"]
    accounts: tuple[Account, ...]
    ignored: Mapping[str, tuple[str, ...]]
    derived: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows_in(self) -> dict[str, int]:
        """The rows of each file."""
        return {account.source: account.rows_in for account in self.accounts}

    @property
    def rows_loaded(self) -> dict[str, int]:
        """The loaded rows of each file."""
        return {account.source: account.loaded for account in self.accounts}

    @property
    def quarantined(self) -> tuple[Quarantined, ...]:
        """The quarantined rows of each file, by reason."""
        return tuple(
            Quarantined(source=account.source, reason=each.reason, rows=each.rows, first_row=each.first_row)
            for account in self.accounts
            for each in account.quarantined
        )


def open_schemas(db: duckdb.DuckDBPyConnection) -> None:
    """Make the schemas of a load.

    ``staged`` has files as text, ``typed`` as OMOP records, ``faulty`` the rows not to be loaded; ``extract`` has the
    OMOP tables over them, ``given`` the observation periods before events widen them, ``lookup`` the code lists of a
    mapping. Three tables are there from the start, and stay empty where a source has nothing for them:
    ``given.merge``, the person ids that stand for another, to be filled before any row is judged;
    ``extract.known_identifier``, what the structured record says of each person that could stand in a note; and
    ``extract.unmapped``, the source codes that became concept 0, with the rows and the persons of each.
    """
    for schema in ("staged", "typed", "faulty", "extract", "given", "lookup"):
        db.execute(f"CREATE SCHEMA {schema}")
    db.execute("CREATE TABLE given.merge (old BIGINT, survivor BIGINT)")
    names = 'SELECT old AS "merged person", survivor AS "surviving person" FROM given.merge'  # as no source has them
    db.execute(f"CREATE VIEW given.renamed_merge AS {names}")
    db.execute("CREATE TABLE extract.known_identifier (person_id BIGINT, kind VARCHAR, text VARCHAR)")
    db.execute(
        'CREATE TABLE extract.unmapped ("table" VARCHAR, vocabulary_id VARCHAR, code VARCHAR, rows BIGINT,'
        " persons BIGINT)"
    )
