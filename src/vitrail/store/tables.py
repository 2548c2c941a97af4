"""The tables of a node's database. Envelopes and words are kept as the JSON text that was signed or sent.

``ledger`` takes new rows only: the database itself refuses to change or remove one.
"""

from sqlalchemy import (
    DDL,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
)

METADATA = MetaData()

LEDGER = Table(
    "ledger",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("entry", LargeBinary, nullable=False),
)
"""Every entry in order from 0: its canonical JSON."""

SEAL = Table(
    "seal",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("state", Text, nullable=False),
)
"""One row: what the ledger's signer needs to add the next entry, with the signed head over all entries so far."""

MEMBERS = Table(
    "members",
    METADATA,
    Column("name", String, primary_key=True),
    Column("key", String, nullable=False),
)
"""The alliance's sites and their public keys."""

STUDIES = Table(
    "studies",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("proposal", Text, nullable=False),
)
"""What was proposed, with the members and keys of that day."""

DECISIONS = Table(
    "decisions",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("study", ForeignKey("studies.id"), nullable=False),
    Column("approved", Boolean, nullable=False),
    Column("envelope", Text, nullable=False),
)
"""What a site's steward decided on a study, signed; the latest counts."""

WAIVERS = Table(
    "waivers",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("snapshot", String, nullable=False, index=True),
    Column("envelope", Text, nullable=False),
)
"""The hard checks that a site's steward lets a snapshot fail, signed."""

QUESTIONS = Table(
    "questions",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("study", ForeignKey("studies.id"), nullable=False),
    Column("analysis", String, nullable=False),
    Column("round", Integer, nullable=False),
    Column("asked", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("study", "analysis", "round"),
)
"""Each round of each analysis; ``asked`` is whether this node is to answer it."""

RELEASES = Table(
    "releases",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("question", ForeignKey("questions.id"), nullable=False),
    Column("site", String, nullable=False),
    Column("envelope", Text, nullable=False),
    UniqueConstraint("question", "site"),
)
"""Signed Releases: a site's own, and those of others that its questions follow from."""

REASONS = Table(
    "reasons",
    METADATA,
    Column("question", ForeignKey("questions.id"), primary_key=True),
    Column("code", String, nullable=False),
    Column("what", Text, nullable=False),
    Column("do", Text, nullable=False),
)
"""Why a site refused a question, for its steward alone."""

EVIDENCE = Table(
    "evidence",
    METADATA,
    Column("study", ForeignKey("studies.id"), primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("envelope", Text, nullable=False),
)
"""What each study found."""

FAILURES = Table(
    "failures",
    METADATA,
    Column("study", ForeignKey("studies.id"), primary_key=True),
    Column("what", Text, nullable=False),
)
"""Studies that could not go on, and why."""

MESSAGES = Table(
    "messages",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("recipient", String, nullable=False, index=True),
    Column("id", String, nullable=False),
    Column("envelope", Text, nullable=False),
    UniqueConstraint("recipient", "id"),
    sqlite_autoincrement=True,
)
"""Messages on their way out; ``seq`` only grows, so a reader that asks for what follows misses nothing."""

REACHED = Table(
    "reached",
    METADATA,
    Column("box", String, primary_key=True),
    Column("seq", Integer, nullable=False),
)
"""How far a site has read its inbox and emptied its outbox."""

for _change in ("UPDATE", "DELETE"):
    event.listen(
        LEDGER,
        "after_create",
        DDL(  # type: ignore[no-untyped-call]
            f"CREATE TRIGGER ledger_no_{_change.lower()} BEFORE {_change} ON ledger "
            "BEGIN SELECT RAISE(ABORT, 'the ledger takes new entries only'); END"
        ),
    )
