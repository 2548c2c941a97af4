"""From source records to OMOP rows: one way for every source whose codes must be mapped.

The table of an event is the domain of its standard concept, whatever the source calls it
(https://ohdsi.github.io/TheBookOfOhdsi/ExtractTransformLoad.html); without one it is the table of its kind.
docs/reference/fhir.md lists the rules with their sources.
"""

from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from vitrail.ingest.codes import MOST_TARGETS, map_codes
from vitrail.ingest.extract import Columns
from vitrail.ingest.fields import SQL_TYPE
from vitrail.ingest.source_records import (
    check_hashes,
    fill_known_identifiers,
    fill_merges,
    load_records,
    resolve_aliases,
)
from vitrail.omop.sql import Node, column, run, sql, table
from vitrail.omop.tables import CLINICAL, EVENT_TABLE, PLACES, TABLES
from vitrail.vocabulary.mapping_files import conventional_concepts, us_states

NO_PRODUCT = "what it refers to for its code is not there"
UNUSED = "nothing that was loaded refers to it"

EHR, PRESCRIPTION, DISPENSING, ADMINISTRATION, REPORTED = 32817, 32838, 32825, 32818, 32865
ENCOUNTER, NOTE, PROBLEMS, LAB = 32827, 32831, 32840, 32856
"""Where a record is from, in OMOP's type concepts (https://ohdsi.github.io/CommonDataModel/cdm54.html)."""

ALLERGY_TO = {"drug": "SNOMED\t416098002", "food": "SNOMED\t414285001", "": "SNOMED\t419199007"}
"""What an allergy is asked as where its code is the substance: the question, by its category."""

Values = Mapping[str, str | Node]
"""The columns of an OMOP table, as SQL."""

_EVENT_TABLES = {domain.title(): name for domain, name in EVENT_TABLE.items() if domain not in ("visit", "death")}


def load_source_records(db: duckdb.DuckDBPyConnection, columns: Columns) -> None:
    """Make the OMOP tables in ``extract`` of the texts in ``staged``. Raises SourceError."""
    _shorten_states(db)
    resolve_aliases(db)
    check_hashes(db)
    fill_merges(db)
    load_records(db, "person")
    _conventions(db)
    _places(db, columns)
    for name in ("product", "visit", "event", "note", "coverage"):
        load_records(db, name)
    _judge_products(db)
    map_codes(db, _coded_texts())
    _map_events(db)
    _visits(db, columns)
    _events(db, columns)
    _others(db, columns)
    fill_known_identifiers(db)
    _unmapped(db)


def _shorten_states(db: duckdb.DuckDBPyConnection) -> None:
    """OMOP's ``location.state`` has two letters."""
    _list(db, "state", us_states(), pa.string())
    for kind in ("person", "place"):
        state = table(kind, "staged")
        run(
            db,
            "UPDATE :t AS t SET state = s.concept FROM lookup.state AS s WHERE lower(trim(t.state)) = s.code",
            t=state,
        )


def _conventions(db: duckdb.DuckDBPyConnection) -> None:
    """``lookup.<list>``: code and concept of each list of codes with a concept of their own."""
    for name in ("gender", "race", "ethnicity", "visit", "operator"):
        _list(db, name, conventional_concepts(name), pa.int32())


def _list(db: duckdb.DuckDBPyConnection, name: str, held: Mapping[str, Any], kind: pa.DataType) -> None:
    """``lookup.<name>``: ``code`` and what it stands for."""
    db.register("list", pa.table({"code": pa.array(held, pa.string()), "concept": pa.array(held.values(), kind)}))
    run(db, "CREATE TABLE :t AS SELECT * FROM list", t=table(name, "lookup"))
    db.unregister("list")


def _concept(name: str, code: str) -> Node:
    """The concept that a list has for a code; 0 where it has none."""
    query = "coalesce((SELECT any_value(c.concept) FROM :t AS c WHERE c.code = lower(:v)), 0)"
    return sql(query, t=table(name, "lookup"), v=sql(code))


def _view(db: duckdb.DuckDBPyConnection, name: str, columns: Columns, values: Values, rows: str | Node) -> None:
    """Make ``extract.<name>`` of the ``values`` of a query's ``rows``; the other columns are null."""
    selected = []
    for each in columns[name]:
        value = values.get(each.name, "NULL")
        node = sql(value) if isinstance(value, str) else value
        selected.append(exp.alias_(sql(f"CAST(:v AS {SQL_TYPE[each.type]})", v=node), each.name))
    query = sql(rows) if isinstance(rows, str) else rows
    run(db, "CREATE VIEW :v AS :q", v=table(name, "extract"), q=exp.select(*selected).from_(_called(query, "s")))


def _called(rows: Node, name: str) -> exp.Subquery:
    return exp.Subquery(this=rows.copy(), alias=exp.TableAlias(this=exp.to_identifier(name)))


def _places(db: duckdb.DuckDBPyConnection, columns: Columns) -> None:
    """Persons, and the places and clinicians that everything else refers to."""
    persons: Values = {
        "person_id": "r0_person_id",
        "gender_concept_id": _concept("gender", "r0_gender"),
        "year_of_birth": "year(r0_birth)",
        "race_concept_id": _concept("race", "r0_race"),
        "ethnicity_concept_id": _concept("ethnicity", "r0_ethnicity"),
        "location_id": _LOCATION,
        "provider_id": "r0_provider_id",
        "care_site_id": "r0_care_site_id",
        "gender_source_concept_id": "0",
        "race_source_concept_id": "0",
        "ethnicity_source_concept_id": "0",
    }
    _view(db, "person", columns, persons, "SELECT * FROM given.good_person")
    for name in ("place", "care_site", "provider", "role"):
        load_records(db, name)
    db.execute(
        "CREATE TABLE given.location AS SELECT r0_zip, r0_state FROM given.good_person"
        " UNION SELECT r0_zip, r0_state FROM given.good_place"
    )
    located = "SELECT * FROM given.location WHERE r0_zip IS NOT NULL OR r0_state IS NOT NULL"
    _view(db, "location", columns, {"location_id": _LOCATION, "zip": "r0_zip", "state": "r0_state"}, located)
    sites = {"care_site_id": "r0_care_site_id", "place_of_service_concept_id": "0"}
    _view(db, "care_site", columns, sites, "SELECT * FROM given.good_care_site")


_LOCATION = (
    "CASE WHEN r0_zip IS NOT NULL OR r0_state IS NOT NULL THEN CAST(('0x' || left(sha256(coalesce(r0_zip, '') || '|' ||"
    " coalesce(r0_state, '')), 15)) AS BIGINT) END"
)


def _judge_products(db: duckdb.DuckDBPyConnection) -> None:
    """An event needs the product that it refers to; a product without an event says nothing."""
    run(
        db,
        "INSERT INTO faulty.event SELECT row, :told FROM given.good_event WHERE r0_codes IS NULL AND r0_product_id"
        " NOT IN (SELECT r0_product_id FROM given.good_product)",
        told=NO_PRODUCT,
    )
    run(
        db,
        "INSERT INTO faulty.product SELECT row, :told FROM given.good_product WHERE r0_product_id NOT IN"
        " (SELECT r0_product_id FROM given.good_event WHERE r0_product_id IS NOT NULL)",
        told=UNUSED,
    )


def _coded_texts() -> exp.Query:
    """Every coded text of the source, and those of the questions that allergies ask."""
    held = {"product": ["codes"], "event": ["codes", "value", "unit", "route", "question"], "note": ["codes"],
            "coverage": ["codes"], "role": ["codes"], "provider": ["codes"]}  # fmt: skip
    parts: list[exp.Query] = [
        exp.select(exp.alias_(column(f"r0_{each}"), "codes")).from_(table(f"good_{kind}", "given"))
        for kind, names in held.items()
        for each in names
    ]
    return exp.union(*parts, distinct=True)


def _map_events(db: duckdb.DuckDBPyConnection) -> None:
    """``given.event``: each event once for each standard concept of its code, with the table it belongs to.

    An allergy whose code is a substance is an observation of the question, with the substance as its value: it is no
    exposure (https://hl7.org/fhir/R4/allergyintolerance.html#9.1.3).
    """
    domains = exp.Case()
    for domain, name in _EVENT_TABLES.items():
        domains = domains.when(sql("m.domain_id = :d", d=domain), exp.Literal.string(name), copy=False)
    domains = domains.when(sql("m.domain_id IS NULL"), column("r0_kind", "e"), copy=False).else_(sql("'observation'"))
    run(
        db,
        "CREATE TABLE given.event AS SELECT CASE WHEN substance THEN 'observation' ELSE of_domain END AS of_table,"
        " CASE WHEN substance THEN question ELSE concept END AS concept_id, CASE WHEN substance THEN concept ELSE"
        " coalesce(of_value, told) END AS value_concept_id, * EXCLUDE (concept, question, of_value, told, substance,"
        " of_domain) FROM (SELECT e.row * :most + m.nth AS key, e.* EXCLUDE (row),"
        " m.concept_id AS concept, m.value_concept_id AS of_value, m.source_concept_id, m.vocabulary_id, m.code,"
        " :domains AS of_domain, e.r0_question IS NOT NULL AND coalesce(m.domain_id NOT IN ('Condition',"
        " 'Observation'), true) AS substance, coalesce(q.concept_id, 0) AS question, v.concept_id AS told,"
        " u.concept_id AS unit_concept_id, u.source_concept_id AS unit_source_concept_id, u.code AS unit_code,"
        " u.vocabulary_id AS unit_vocabulary_id, v.code AS value_code, v.vocabulary_id AS value_vocabulary_id,"
        " w.concept_id AS route_concept_id FROM given.good_event AS e LEFT JOIN (SELECT r0_product_id AS id,"
        " min(r0_codes) AS codes FROM given.good_product GROUP BY r0_product_id) AS p ON p.id = e.r0_product_id"
        " JOIN lookup.concept_of AS m ON m.codes = coalesce(e.r0_codes, p.codes)"
        " LEFT JOIN lookup.concept_of AS q ON q.codes = e.r0_question AND q.nth = 0"
        " LEFT JOIN lookup.concept_of AS v ON v.codes = e.r0_value AND v.nth = 0"
        " LEFT JOIN lookup.concept_of AS u ON u.codes = e.r0_unit AND u.nth = 0"
        " LEFT JOIN lookup.concept_of AS w ON w.codes = e.r0_route AND w.nth = 0) AS x",
        most=MOST_TARGETS,
        domains=domains,
    )


def _visits(db: duckdb.DuckDBPyConnection, columns: Columns) -> None:
    """Visits. One without an end ended on its first day; a stay, on the last day that the source has of any visit
    (https://ohdsi.github.io/CommonDataModel/cdm54.html#visit_occurrence).
    """
    kind = _concept("visit", "r0_class")
    last = sql("(SELECT max(greatest(w.r0_start, coalesce(w.r0_end, w.r0_start))) FROM given.good_visit AS w)")
    values: Values = {
        "visit_occurrence_id": "r0_visit_id",
        "person_id": "r0_person_id",
        "visit_concept_id": kind,
        "visit_start_date": "r0_start",
        "visit_end_date": sql("coalesce(r0_end, CASE WHEN :k = 9201 THEN :last ELSE r0_start END)", k=kind, last=last),
        "visit_type_concept_id": str(ENCOUNTER),
        "provider_id": "r0_provider_id",
        "care_site_id": "r0_care_site_id",
        "visit_source_value": "r0_class",
        "visit_source_concept_id": "0",
    }
    _view(db, "visit_occurrence", columns, values, "SELECT * FROM given.good_visit")


_DRUG_END = (
    "coalesce(r0_end, CASE WHEN r0_days BETWEEN 1 AND 3650 THEN r0_start + (r0_days - 1)"
    f" WHEN r0_type = {PRESCRIPTION} THEN r0_start + 29 ELSE r0_start END)"
)
"""https://ohdsi.github.io/Themis/drug_end_date_not_in_data.html; a daily dose is not read, so its step is left out."""

_SUPPLY = "CASE WHEN r0_days BETWEEN 1 AND 3650 THEN r0_days END"
_OPERATOR = "(SELECT any_value(concept) FROM lookup.operator AS c WHERE c.code = r0_operator)"

_OWN: Mapping[str, Mapping[str, str]] = {
    "condition_occurrence": {},
    "drug_exposure": {
        "drug_exposure_end_date": _DRUG_END,
        "quantity": "r0_quantity",
        "days_supply": _SUPPLY,
        "refills": "r0_refills",
        "route_concept_id": "route_concept_id",
    },
    "procedure_occurrence": {"quantity": "CAST(round(r0_quantity) AS INTEGER)"},
    "device_exposure": {"quantity": "CAST(round(r0_quantity) AS INTEGER)"},
    "measurement": {
        "value_as_number": "r0_number",
        "value_as_concept_id": "value_concept_id",
        "operator_concept_id": _OPERATOR,
        "unit_concept_id": "unit_concept_id",
        "unit_source_concept_id": "unit_source_concept_id",
        "unit_source_value": "unit_code",
        "range_low": "r0_low",
        "range_high": "r0_high",
    },
    "observation": {
        "value_as_number": "r0_number",
        "value_as_string": "r0_words",
        "value_as_concept_id": "value_concept_id",
        "unit_concept_id": "unit_concept_id",
        "unit_source_value": "unit_code",
    },
}
"""What each table of events has beside what all have."""


def _events(db: duckdb.DuckDBPyConnection, columns: Columns) -> None:
    for name, own in _OWN.items():
        of = TABLES[name]
        stem = str(of.concept).removesuffix("_concept_id")
        values: Values = {
            of.key: "key",
            "person_id": "r0_person_id",
            str(of.concept): "concept_id",
            str(of.start): "r0_start",
            f"{stem}_type_concept_id": "r0_type",
            "visit_occurrence_id": "r0_visit_id",
            "provider_id": "r0_provider_id",
            f"{stem}_source_value": "code",
            f"{stem}_source_concept_id": "source_concept_id",
            **({of.end: "r0_end"} if of.end else {}),
            **own,
        }
        _view(db, name, columns, values, sql("SELECT * FROM given.event WHERE of_table = :n", n=name))


def _others(db: duckdb.DuckDBPyConnection, columns: Columns) -> None:
    """Deaths, notes, plans and clinicians; the tables that these sources do not have are empty."""
    deaths = {
        "person_id": "r0_person_id",
        "death_date": "r0_death",
        "death_type_concept_id": str(EHR),
        "cause_concept_id": "0",
        "cause_source_concept_id": "0",
    }
    _view(db, "death", columns, deaths, "SELECT * FROM given.good_person WHERE r0_death IS NOT NULL")
    _view(db, "note", columns, _NOTE, _with_concept("SELECT * FROM given.good_note"))
    _view(db, "payer_plan_period", columns, _PLAN, _with_concept("SELECT * FROM given.good_coverage"))
    clinicians = (
        "SELECT p.r0_provider_id, p.r0_gender, coalesce(r.site, p.r0_care_site_id) AS site,"
        " coalesce(r.codes, p.r0_codes) AS r0_codes FROM given.good_provider AS p LEFT JOIN"
        " (SELECT r0_provider_id AS id, min(r0_care_site_id) AS site, min(r0_codes) AS codes FROM given.good_role"
        " GROUP BY r0_provider_id) AS r ON r.id = p.r0_provider_id"
    )
    _view(db, "provider", columns, _PROVIDER, _with_concept(clinicians))
    for name in (*CLINICAL, *PLACES):
        if name not in _MADE:
            _view(db, name, columns, {}, "SELECT 1 AS one WHERE false")


_MADE = (*_OWN, "person", "visit_occurrence", "death", "note", "payer_plan_period", *PLACES)


def _with_concept(rows: str) -> Node:
    """Rows with what their coded text means: the first of its concepts, for OMOP has room for one."""
    query = "SELECT e.*, m.concept_id, m.source_concept_id FROM :r AS e LEFT JOIN lookup.concept_of AS m"
    return sql(f"{query} ON m.codes = e.r0_codes AND m.nth = 0", r=exp.Subquery(this=sql(rows)))


_NOTE: Values = {
    "note_id": "row",
    "person_id": "r0_person_id",
    "note_date": "r0_start",
    "note_type_concept_id": "r0_type",
    "note_class_concept_id": "coalesce(concept_id, 0)",
    "note_text": "r0_words",
    "encoding_concept_id": "32678",
    "language_concept_id": "0",
    "provider_id": "r0_provider_id",
    "visit_occurrence_id": "r0_visit_id",
}
_PLAN: Values = {
    "payer_plan_period_id": "row",
    "person_id": "r0_person_id",
    "payer_plan_period_start_date": "r0_start",
    "payer_plan_period_end_date": "coalesce(r0_end, r0_start)",
    "payer_concept_id": "coalesce(concept_id, 0)",
    "payer_source_concept_id": "coalesce(source_concept_id, 0)",
}
_PROVIDER: Values = {
    "provider_id": "r0_provider_id",
    "specialty_concept_id": "coalesce(concept_id, 0)",
    "care_site_id": "site",
    "gender_concept_id": _concept("gender", "r0_gender"),
}


def _unmapped(db: duckdb.DuckDBPyConnection) -> None:
    """``extract.unmapped``: the codes, units and coded values that became concept 0, by frequency."""
    db.execute(
        "INSERT INTO extract.unmapped SELECT of_table, vocabulary_id, code, count(*),"
        " count(DISTINCT person) FROM ("
        "SELECT of_table, vocabulary_id, code, r0_person_id AS person FROM given.event WHERE concept_id = 0"
        " UNION ALL SELECT of_table, unit_vocabulary_id, unit_code, r0_person_id FROM given.event"
        " WHERE unit_concept_id = 0"
        " UNION ALL SELECT of_table, value_vocabulary_id, value_code, r0_person_id FROM given.event"
        " WHERE value_code IS NOT NULL AND value_concept_id = 0"
        ") AS u WHERE code IS NOT NULL GROUP BY ALL ORDER BY count(*) DESC, of_table, vocabulary_id, code"
    )
