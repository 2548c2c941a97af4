"""Sources in tables with canaries in them: Synthea's CSV files, OMOP as CSV and as Parquet, and CSV with a mapping."""

import csv
from pathlib import Path

import duckdb
import pyarrow as pa
from pyarrow import parquet

from tests.canaries import KINDS, Aviary
from tests.canary_sources import MANY, PEOPLE, UNKNOWN, Place, beside, places
from tests.clinical_sources import CONCEPTS
from vitrail.omop.tables import TABLES

Row = dict[str, object]

OTHER_DAYS = [f"20{year}-0{month}-11" for year in range(12, 20) for month in (2, 7)]

SYNTHEA = """
patients: FIRST name
    MIDDLE name
    LAST name
    MAIDEN name
    PREFIX name
    SUFFIX name
    SSN mrn
    DRIVERS mrn
    PASSPORT mrn
    Id mrn
    Id name
    BIRTHDATE date
    BIRTHDATE name
    DEATHDATE time {}Z
    RACE name
    ETHNICITY name
    GENDER name
    MARITAL name
    BIRTHPLACE address
    ADDRESS address
    CITY name
    COUNTY name
    STATE name
    ZIP phone
    ZIP mrn
    FIPS mrn
    LAT mrn#
    INCOME mrn#
    EMAIL email
encounters: START time {}Z
    ENCOUNTERCLASS name
    ENCOUNTERCLASS name*
    CODE name
    DESCRIPTION name
    REASONDESCRIPTION name
    PROVIDER name
    ORGANIZATION name
    PAYER name
conditions: CODE name
    CODE mrn*
    DESCRIPTION name
    START name
    PATIENT mrn
    ENCOUNTER mrn
medications: CODE name
    DESCRIPTION name
    REASONDESCRIPTION name
    DISPENSES mrn#
    PAYER name
observations: VALUE name
    VALUE mrn#
    VALUE phone*
    UNITS name
    CODE name
    CATEGORY name
    DESCRIPTION name
    TYPE name
immunizations: CODE name
    DESCRIPTION name
procedures: CODE name
    REASONCODE name
devices: UDI mrn
    CODE name
supplies: QUANTITY mrn#
    DESCRIPTION name
allergies: SYSTEM name
    REACTION1 name
    DESCRIPTION1 name
organizations: NAME name
    ADDRESS address
    PHONE phone
providers: NAME name
    ADDRESS address
    SPECIALITY name
payer_transitions: OWNERNAME name
    MEMBERID mrn
    PAYER name
careplans: DESCRIPTION name
    Id mrn
claims: PATIENTID name
strangers: NAME name
"""

SYNTHEA_BASE: dict[str, Row] = {
    "patients": {"BIRTHDATE": "1958-06-15", "GENDER": "F"},
    "encounters": {"START": "2016-05-04T08:00:00Z", "STOP": "2016-05-04T09:00:00Z", "ENCOUNTERCLASS": "ambulatory"},
    "conditions": {"START": "2016-05-04", "CODE": "c-one"},
    "medications": {"START": "2016-05-04T08:30:00Z", "CODE": "d-one"},
    "observations": {"DATE": "2016-05-04T08:30:00Z", "CODE": "o-one", "VALUE": "Often", "CATEGORY": "survey",
                     "TYPE": "text", "UNITS": ""},
    "immunizations": {"DATE": "2016-05-04T08:30:00Z", "CODE": "v-one"},
    "procedures": {"START": "2016-05-04T08:30:00Z", "CODE": "p-one"},
    "devices": {"START": "2016-05-04T08:30:00Z", "CODE": "x-one"},
    "supplies": {"DATE": "2016-05-04", "CODE": "x-one"},
    "allergies": {"START": "2016-05-04", "CODE": "c-one", "CATEGORY": "food"},
    "payer_transitions": {"START_YEAR": "2014", "END_YEAR": "2018"},
}  # fmt: skip


def write_synthea(birds: Aviary, each: int, directory: Path) -> Path:
    """As Synthea's CSV files; names of files and of columns have canaries, too."""
    files: dict[str, list[Row]] = {"patients": [{"Id": f"p{n}"} for n in range(PEOPLE)]}
    for place in places(SYNTHEA):
        shared = birds.hatch(f"Synthea's {place.name}", place.kind) if place.shared else None
        for n in range(MANY if shared else each):
            rows = files.setdefault(place.of, [])
            text = shared or birds.hatch(f"Synthea's {place.name}", place.kind)
            rows.append({"Id": f"r{len(rows)}", "PATIENT": f"p{n % PEOPLE}"} | {place.at: place.value(text)})
    files["encounters"] += [
        {"Id": f"v{n}-{day}", "PATIENT": row["Id"], "START": f"{day}T08:00:00Z", "STOP": f"{day}T09:00:00Z"}
        for n, row in enumerate(files["patients"]) for day in OTHER_DAYS
    ]  # fmt: skip
    directory.mkdir()
    for name, rows in files.items():
        rows = [SYNTHEA_BASE.get(name, {}) | row for row in rows]
        _write_csv(directory / f"{name}.csv", rows, birds, each)
    _write_csv(directory / f"{birds.hatch('the name of a CSV file', 'name')}.csv", [{"A": 1}], birds, each)
    return directory


def _write_csv(path: Path, rows: list[Row], birds: Aviary, each: int) -> None:
    """Rows under a header that has canaries, then lines that are no rows."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    headers = [birds.hatch("a header of CSV", kind) for kind in ("name", "mrn")[:each]]
    with path.open("w", newline="") as file:
        csv.DictWriter(file, [*columns, *headers]).writeheader()
        csv.DictWriter(file, [*columns, *headers]).writerows(rows)
        for _ in range(each):
            file.write(f"{birds.hatch('a line of too few fields', 'name')}\n")
            file.write(f"{birds.hatch('a line of too many fields', 'mrn')}{',x' * (len(columns) + len(headers) + 2)}\n")
            quoted = f'x"{birds.hatch("a line with a wrong quote", "name")}"y"'
            file.write(f'"{quoted}{",x" * (len(columns) + len(headers) - 1)}\n')


SKIPPED = {("note", "note_text")}
"""Columns that have places of their own: notes are planted by what stands in them."""


def _omop_places() -> list[Place]:
    """Every column of every OMOP table but its keys: a text in texts, a number in numbers, a time in times."""
    found = []
    for table in TABLES.values():
        if table.name.startswith("concept_"):
            continue
        for column in table.columns:
            kinds = {"str": ["name", "phone"], "date": ["time"], "datetime": ["time"]}.get(column.type, ["mrn", "name"])
            if (table.name, column.name) in SKIPPED or column.name in (table.key, "person_id"):
                kinds = []
            for kind in kinds:
                found.append(Place(table.name, column.name, kind, False, False, ""))
            if kinds and column.type == "str":
                found.append(Place(table.name, column.name, "mrn", False, True, ""))
    return found


def omop(birds: Aviary, each: int) -> dict[str, list[Row]]:
    """OMOP's tables with ``each`` canaries in every column."""
    tables: dict[str, list[Row]] = {name: [] for name in TABLES}
    tables["person"] = [_omop_row("person", n, n) for n in range(PEOPLE)]
    tables["observation_period"] = [_omop_row("observation_period", n, n) for n in range(PEOPLE)]
    for place in _omop_places():
        shared = birds.hatch(f"OMOP's {place.name}", place.kind) if place.shared else None
        for n in range(MANY if shared else each):
            rows = tables[place.of]
            new = _omop_row(place.of, len(rows), len(rows) if place.of == "person" else n)
            rows.append(new | {place.at: shared or birds.hatch(f"OMOP's {place.name}", place.kind)})
    tables["observation_period"] += [
        _omop_row("observation_period", n, n) for n in range(PEOPLE, len(tables["person"]))
    ]
    for n, row in enumerate(tables["person"][PEOPLE:]):
        row.setdefault("location_id", n)
    tables["note"] += _omop_notes(birds, each, tables)
    return tables


def _omop_row(name: str, number: int, person: int) -> Row:
    row: Row = {}
    for column in TABLES[name].columns:
        if column.name == "person_id":
            row["person_id"] = 1 + person
        elif column.name == TABLES[name].key:
            row[column.name] = 1 + number
        elif column.required:
            row[column.name] = {"date": "2016-05-04", "datetime": "2016-05-04 08:00:00", "str": "x"}.get(column.type, 0)
    if name == "person":
        row |= {"year_of_birth": 1958, "gender_concept_id": 8532}
    if name == "observation_period":
        row |= {
            "observation_period_start_date": f"2012-01-{1 + number % 28:02d}",
            "observation_period_end_date": "2019-12-31",
        }
    if name == "concept":
        row |= {"concept_id": 2_100_000_500 + number, "domain_id": "Condition", "vocabulary_id": "Made",
                "valid_start_date": "1970-01-01", "valid_end_date": "2099-12-31"}  # fmt: skip
    return row


def _omop_notes(birds: Aviary, each: int, tables: dict[str, list[Row]]) -> list[Row]:
    """Notes that say what the person's own record says, and what no record knows."""
    notes = []
    for row in [row for row in tables["person"] if "person_source_value" in row][: 4 * each]:
        notes.append(
            (int(str(row["person_id"])) - 1, f"Record of {row['person_source_value']} was opened. Lungs clear.")
        )
    for kind in KINDS:
        for n in range(each):
            weight = birds.weight()
            text = birds.hatch(f"OMOP's note_text: a {kind} that no record knows", kind, beside(kind, weight))
            notes.append((n, f"{UNKNOWN[kind].replace('{}', text)} Her {weight} today."))
    return [_omop_row("note", 10_000 + n, person) | {"note_text": text} for n, (person, text) in enumerate(notes)]


def write_omop(birds: Aviary, each: int, directory: Path) -> Path:
    """As CSV files, with a small vocabulary, and tables that no snapshot holds."""
    directory.mkdir()
    for name, rows in _completed(birds, each).items():
        _write_csv(directory / f"{name}.csv", rows, birds, each)
    return directory


def _completed(birds: Aviary, each: int) -> dict[str, list[Row]]:
    tables = omop(birds, each)
    tables["concept"] += [
        {"concept_id": id_, "concept_name": f"made {id_}", "domain_id": domain, "vocabulary_id": words,
         "concept_class_id": "Made", "standard_concept": standard, "concept_code": code,
         "valid_start_date": "1970-01-01", "valid_end_date": "2099-12-31"}
        for id_, domain, words, standard, code in CONCEPTS
    ]  # fmt: skip
    tables["cdm_source"] = [{"cdm_source_name": birds.hatch("OMOP's cdm_source", "name"), "cdm_holder": "x"}]
    tables["cost"] = [{"cost_id": 1, "payer_source_value": birds.hatch("OMOP's cost", "name")}]
    tables["note_nlp"] = [{"note_nlp_id": 1, "snippet": birds.hatch("OMOP's note_nlp", "name")}]
    tables[birds.hatch("the name of a table", "name")] = [{"a": birds.hatch("a table that is not OMOP's", "mrn")}]
    return {name: rows for name, rows in tables.items() if rows}


def write_omop_parquet(birds: Aviary, each: int, directory: Path) -> Path:
    """The same as Parquet, whose metadata and names of parts are planted, too."""
    directory.mkdir()
    for name, rows in _completed(birds, each).items():
        columns = list(dict.fromkeys(column for row in rows for column in row))
        stranger = birds.hatch("a column of Parquet", "name")
        of_table = {b"author": birds.hatch("the metadata of Parquet", "name").encode()}
        of_column = {b"comment": birds.hatch("the metadata of a column of Parquet", "email").encode()}
        fields = [pa.field(each, pa.string(), metadata=of_column) for each in (*columns, stranger)]
        held = [pa.array([None if row.get(each) is None else str(row.get(each)) for row in rows], pa.string())
                for each in (*columns, stranger)]  # fmt: skip
        table = pa.Table.from_arrays(held, schema=pa.schema(fields, metadata=of_table))
        (directory / name).mkdir()
        parquet.write_table(table, directory / name / f"{birds.hatch('the name of a Parquet file', 'name')}.parquet")
    return directory


def write_omop_duckdb(birds: Aviary, each: int, directory: Path) -> Path:
    """The same in a DuckDB file, with a view and a comment."""
    directory.mkdir()
    with duckdb.connect(directory / "cdm.duckdb") as db:
        for name, rows in _completed(birds, each).items():
            columns = list(dict.fromkeys(column for row in rows for column in row))
            held = {each: pa.array([None if row.get(each) is None else str(row.get(each)) for row in rows], pa.string())
                    for each in columns}  # fmt: skip
            db.register("held", pa.table(held))
            db.execute(f'CREATE TABLE "{name}" AS SELECT * FROM held')
            db.unregister("held")
        db.execute(f'CREATE VIEW "{birds.hatch("the name of a view", "name")}" AS SELECT 1 AS one')
        db.execute(f"COMMENT ON TABLE person IS '{birds.hatch('a comment in a database', 'mrn')}'")
    return directory


MAPPING = """\
vitrail: mapping/1
origin: {name: A made hospital, public: false, licence: none, calendar: "true"}
record_type: 32817
missing: ["?"]
files:
  people:
    file: people.csv
    person_id: {column: id, text: true}
    date: {column: day}
    person:
      sex: {column: sex, codes: {f: 8532, m: 8507}}
      birth_year: {column: year}
    observation_period: {start: {column: day}, end: {column: until}}
    measurements:
      - {concept: 2100000013, value: hb}
  stays:
    file: stays.csv
    person_id: {column: id, text: true}
    visit_id: {column: stay, text: true}
    date: {column: day}
    visits: [{concept: 9202}]
    conditions:
      - concept_from: {column: code, codes: {one: 2100000001}, others: zero}
    observations:
      - concept_from: {column: ask, codes: {smoke: 2100000014}, others: skip}
        value_from: {column: answer, codes: {"0": 1, "1": 2}}
"""

MAPPED = """
people: id mrn
    id name
    day name
    sex name
    born date
    year name
    year mrn#
    until time
    hb mrn#
    hb name
    hb phone
    remark name
    remark phone
    remark email
    street address
stays: id name
    stay mrn
    day time
    code name
    code mrn*
    ask name
    answer name
    remark name
"""

MAPPED_BASE: dict[str, Row] = {
    "people": {"day": "2012-01-03", "until": "2019-12-31", "sex": "f", "year": "1958", "hb": "12.5"},
    "stays": {"day": "2016-05-04", "code": "one", "ask": "smoke", "answer": "1", "stay": "s"},
}


def write_mapped(birds: Aviary, each: int, directory: Path) -> Path:
    """Two CSV files of a hospital's own making; their mapping lies beside them as ``mapping.yaml``."""
    files: dict[str, list[Row]] = {"people": [{"id": f"p{n}"} for n in range(PEOPLE)], "stays": []}
    for place in places(MAPPED):
        shared = birds.hatch(f"mapped {place.name}", place.kind) if place.shared else None
        for n in range(MANY if shared else each):
            text = shared or birds.hatch(f"mapped {place.name}", place.kind)
            id_ = f"p{n % PEOPLE}" if place.of == "stays" else f"r{len(files['people'])}"
            files[place.of].append({"id": id_, "stay": f"s{len(files['stays'])}", place.at: place.value(text)})
    directory.mkdir()
    for name, rows in files.items():
        _write_csv(directory / f"{name}.csv", [MAPPED_BASE[name] | row for row in rows], birds, each)
    (directory / "mapping.yaml").write_text(MAPPING)
    return directory
