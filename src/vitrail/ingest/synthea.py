"""Sources that are Synthea's CSV files: what each file's columns are as source records.

The columns are those of https://github.com/synthetichealth/synthea/wiki/CSV-File-Data-Dictionary and of the versions
before; a column that a version lacks is null. A file that is not listed gives nothing, and is counted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
from sqlglot import exp

from vitrail.errors import SourceError
from vitrail.ingest.extract import Columns
from vitrail.ingest.fields import number, present
from vitrail.ingest.reading import Layout, Staged, lies_in, stage_csv
from vitrail.ingest.records import Account
from vitrail.ingest.source_records import IDENTIFIER, KINDS, Counts, open_records
from vitrail.ingest.standard import ADMINISTRATION, ALLERGY_TO, EHR, LAB, PRESCRIPTION, load_source_records
from vitrail.omop.sql import Node, column, run, sql, table
from vitrail.vocabulary.mapping_files import code_systems

NOT_HELD = "no snapshot holds rows of this file"
OTHER = "the file is none of Synthea's"
MEANT = (NOT_HELD, OTHER)
"""The reasons for which a row is not loaded though nothing is wrong with it."""

SYSTEMS = {"SNOMED-CT": "SNOMED", "SNOMED": "SNOMED", "RxNorm": "RxNorm", "LOINC": "LOINC", **code_systems()}
"""The vocabulary of each word for a code system that the column SYSTEM may hold."""


@dataclass(frozen=True)
class File:
    """A file: the kind of its records, and each column of those as SQL over the file's columns.

    A column of Synthea stands in capital letters after a colon. ``identifiers`` lists, by kind, the columns that could
    stand in a note; ``needed`` the columns without which the file cannot be read.
    """

    kind: str
    values: Mapping[str, str]
    needed: tuple[str, ...]
    identifiers: Mapping[str, tuple[str, ...]]
    person: str = "PATIENT"


def _file(of: str, needed: str, identifiers: Mapping[str, tuple[str, ...]] | None = None, /, **values: str) -> File:
    return File(of, values, tuple(needed.split()), identifiers or {})


def _event(of: str, vocabulary: str, needed: str, /, **values: str) -> File:
    shared = {
        "person_id": ":PATIENT",
        "visit_id": ":ENCOUNTER",
        "kind": f"'{of}'",
        "start": "coalesce(:START, :DATE)",
        "end": ":STOP",
        "codes": f"CASE WHEN :CODE IS NOT NULL THEN coalesce(:system, '{vocabulary}') || chr(9) || :CODE END",
        "type": f"'{EHR}'",
    }
    return _file("event", f"PATIENT {needed}", **{**shared, **values})


_NUMBER = "CASE WHEN coalesce(:TYPE, 'numeric') = 'numeric' AND (:number) IS NOT NULL THEN :VALUE END"
_PATIENT_IDENTIFIERS = {
    "name": ("FIRST", "MIDDLE", "LAST", "MAIDEN"),
    "date": ("BIRTHDATE", "DEATHDATE"),
    "id": ("ID", "SSN", "DRIVERS", "PASSPORT"),
    "address": ("ADDRESS", "CITY", "COUNTY", "ZIP", "BIRTHPLACE"),
}

FILES: Mapping[str, File] = {
    "patients": File(
        "person",
        {"key": ":ID", "person_id": ":ID", "birth": ":BIRTHDATE", "death": ":DEATHDATE", "gender": ":GENDER",
         "race": ":RACE", "ethnicity": ":ETHNICITY", "zip": ":ZIP", "state": ":STATE"},
        ("ID", "BIRTHDATE", "GENDER"),
        _PATIENT_IDENTIFIERS,
        person="ID",
    ),
    "organizations": _file("care_site", "ID", key=":ID", care_site_id=":ID"),
    "providers": _file(
        "provider", "ID", key=":ID", provider_id=":ID", gender=":GENDER", care_site_id=":ORGANIZATION",
        codes="CASE WHEN :SPECIALITY IS NOT NULL THEN 'Synthea speciality' || chr(9) || :SPECIALITY END",
    ),
    "encounters": _file(
        "visit", "ID PATIENT START ENCOUNTERCLASS", key=":ID", visit_id=":ID", person_id=":PATIENT", start=":START",
        end=":STOP", **{"class": ":ENCOUNTERCLASS"}, provider_id=":PROVIDER", care_site_id=":ORGANIZATION",
    ),
    "conditions": _event("condition_occurrence", "SNOMED", "START CODE"),
    "medications": _event(
        "drug_exposure", "RxNorm", "START CODE", type=f"'{PRESCRIPTION}'",
        refills="CAST(greatest(TRY_CAST(:DISPENSES AS INTEGER) - 1, 0) AS VARCHAR)",
    ),
    "immunizations": _event("drug_exposure", "CVX", "DATE CODE", type=f"'{ADMINISTRATION}'"),
    "procedures": _event("procedure_occurrence", "SNOMED", "CODE"),
    "imaging_studies": _event(
        "procedure_occurrence", "SNOMED", "ID DATE PROCEDURE_CODE", key="'imaging ' || :ID",
        codes="CASE WHEN :PROCEDURE_CODE IS NOT NULL THEN 'SNOMED' || chr(9) || :PROCEDURE_CODE END",
    ),
    "devices": _event("device_exposure", "SNOMED", "START CODE"),
    "supplies": _event("device_exposure", "SNOMED", "DATE CODE", quantity=":QUANTITY"),
    "allergies": _event(
        "observation", "SNOMED", "START CODE", end="NULL",
        question="CASE WHEN :CATEGORY = 'medication' THEN :drug WHEN :CATEGORY = 'food' THEN :food ELSE :other END",
    ),
    "observations": _event(
        "observation", "LOINC", "DATE VALUE CODE",
        kind="CASE WHEN :CATEGORY IN ('laboratory', 'vital-signs') OR ((:n) IS NOT NULL AND coalesce(:CATEGORY, '')"
        " NOT IN ('survey', 'social-history')) THEN 'measurement' ELSE 'observation' END",
        number=":n", words="CASE WHEN (:n) IS NULL THEN :VALUE END",
        unit="CASE WHEN (:n) IS NOT NULL AND :UNITS IS NOT NULL THEN 'UCUM' || chr(9) || :UNITS END",
        type=f"CASE WHEN :CATEGORY = 'laboratory' THEN '{LAB}' ELSE '{EHR}' END",
    ),
    "payer_transitions": _file(
        "coverage", "PATIENT", {"name": ("OWNERNAME",), "id": ("MEMBERID",)}, person_id=":PATIENT",
        start="CASE WHEN length(:first) = 4 THEN :first || '-01-01' ELSE :first END",
        end="CASE WHEN length(:last) = 4 THEN :last || '-12-31' ELSE :last END",
        codes="CASE WHEN :PAYER IS NOT NULL THEN 'Synthea payer' || chr(9) || :PAYER END",
    ),
}  # fmt: skip
"""Every file that gives records."""

LEFT_OUT = ("careplans", "claims", "claims_transactions", "payers", "patient_expenses")
"""Synthea's files that give none."""


def load_synthea(
    db: duckdb.DuckDBPyConnection, source: Path, columns: Columns, tell: Callable[[str], None]
) -> tuple[tuple[Account, ...], Mapping[str, tuple[str, ...]]]:
    """Load a source; its accounts, and how many columns of each file were passed over. Raises SourceError."""
    open_records(db)
    counts, ignored, found = Counts(), dict[str, tuple[str, ...]](), _found(source)
    if "patients" not in found:
        raise SourceError(f"{source} has no patients.csv.", "Name the directory of Synthea's CSV files.")
    for name in (*FILES, *LEFT_OUT):
        if name in found:
            tell(f"reading {name}")
            passed_over = _stage(db, name, found[name], counts)
            ignored |= {name: (f"{passed_over} columns",)} if passed_over else {}
    for ordinal, _ in enumerate((each for each in found if each not in (*FILES, *LEFT_OUT)), 1):
        counts.row("other files")
        counts.fault("other files", ordinal, OTHER)
    tell("mapping codes")
    load_source_records(db, columns)
    return counts.accounts(db), ignored


def _found(source: Path) -> dict[str, Path]:
    """The files of a directory: by name without its ending those of Synthea, by whole name the others."""
    if not source.is_dir():
        raise SourceError(f"{source} is no directory.", "Name the directory of Synthea's CSV files.")
    known: dict[str, Path] = {}
    for ordinal, path in enumerate(sorted(source.iterdir()), 1):
        name = path.stem.lower() if path.suffix.lower() == ".csv" else path.name
        if path.is_file() and name in (*FILES, *LEFT_OUT):
            if not lies_in(path, source):
                raise SourceError(f"{source}: {name} leads out of the source.", "Put the file itself there.")
            if name in known:
                raise SourceError(f"{source} holds two files for {name}.", "Keep one of them.")
        known[name if name not in known else f"{name} {ordinal}"] = path
    return known


def _stage(db: duckdb.DuckDBPyConnection, name: str, path: Path, counts: Counts) -> int:
    """Bring a file's rows into the tables of source records; how many of its columns are not read."""
    staged = stage_csv(db, f"csv {name}", path, Layout())
    number = counts.row(name)
    counts.rows[name] = staged.rows_in
    for reason, rows in sorted(staged.malformed.items()):
        counts.fault(name, None, reason, rows)
    file = FILES.get(name)
    if file is None:
        counts.fault(name, 1, NOT_HELD, staged.rows) if staged.rows else None
        read = set[str]()
    else:
        read = _insert(db, name, file, staged, number)
    run(db, "DROP TABLE :t", t=staged.table)
    return len({each.upper() for each in staged.columns} - read)


class _Columns(dict[str, object]):
    """The columns of a file under their names in capital letters; those that it lacks are null. Notes what is asked."""

    def __init__(self, staged: Staged) -> None:
        self.held = {each.upper(): present(column(each)) for each in staged.columns}
        self.read: set[str] = set()
        super().__init__()

    def text(self, name: str) -> Node:
        self.read.add(name)
        return self.held.get(name, exp.null()).copy()


def _insert(db: duckdb.DuckDBPyConnection, name: str, file: File, staged: Staged, number_: int) -> set[str]:
    held = _Columns(staged)
    missing = [each for each in file.needed if each not in held.held]
    if missing:
        raise SourceError(f"{name}.csv lacks {', '.join(missing)}.", "Write Synthea's columns in its first line.")
    values = {each: _filled(template, held) for each, template in file.values.items()}
    values |= {"file": exp.Literal.string(str(number_)), "line": sql("CAST(rowid + 1 AS VARCHAR)")}
    selected = [exp.alias_(values.get(each, exp.null()), each, quoted=True) for each in KINDS[file.kind].texts]
    query = exp.select(*selected).from_(staged.table)
    run(db, "INSERT INTO :t SELECT * FROM :q", t=table(file.kind, "staged"), q=query.subquery("q"))
    for kind, names in file.identifiers.items():
        for each in names:
            _insert_identifiers(db, staged, kind, held.text(file.person), held.text(each))
    return held.read


def _insert_identifiers(db: duckdb.DuckDBPyConnection, staged: Staged, kind: str, person: Node, text: Node) -> None:
    given = (
        exp.select(person, exp.Literal.string(kind), text).from_(staged.table).where(sql("(:v) IS NOT NULL", v=text))
    )
    run(db, "INSERT INTO :t SELECT * FROM :q", t=IDENTIFIER, q=given.subquery("q"))


def _filled(template: str, held: _Columns) -> Node:
    """A template with a file's columns, and the few expressions that have a name."""
    parts: dict[str, Node] = {}
    for node in sql(template).find_all(exp.Placeholder):
        name = str(node.this)
        parts[name] = held.text(name) if name.isupper() and len(name) > 1 else _NAMED[name](held)
    return sql(template, **parts)


def _system(held: _Columns) -> Node:
    case = exp.Case()
    for word, vocabulary in SYSTEMS.items():
        case = case.when(sql(":s = :w", s=held.text("SYSTEM"), w=word), exp.Literal.string(vocabulary), copy=False)
    return case.else_(held.text("SYSTEM"))


def _numeric(held: _Columns) -> Node:
    return sql(_NUMBER, TYPE=held.text("TYPE"), number=number(held.text("VALUE")), VALUE=held.text("VALUE"))


def _either(*names: str) -> Callable[[_Columns], Node]:
    return lambda held: exp.func("coalesce", *(held.text(each) for each in names))


def _question(name: str) -> Callable[[_Columns], Node]:
    return lambda _: exp.Literal.string(ALLERGY_TO[name])


_NAMED: Mapping[str, Callable[[_Columns], Node]] = {
    "system": _system,
    "n": _numeric,
    "first": _either("START_DATE", "START_YEAR"),
    "last": _either("END_DATE", "END_YEAR"),
    "drug": _question("drug"),
    "food": _question("food"),
    "other": _question(""),
}
"""The expressions that templates name in small letters."""
