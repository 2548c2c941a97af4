"""End dates that OMOP requires and a source lacks, by the conventions of OHDSI.

Drug exposures (https://ohdsi.github.io/Themis/drug_end_date_not_in_data.html), the first that can be told: the start
and the days of supply, less one; the day itself for an administration; 29 days on for a written prescription and 89 for
one by mail order. The convention's second way, the quantity by the daily dose, needs a dose that OMOP's table does not
hold, and is left out. Where none can be told, the day itself.

Visits (visit_end_date at https://ohdsi.github.io/CommonDataModel/cdm54.html#visit_occurrence): the end of the month for
a stay outside hospitals, else the day itself; for a stay in hospital that is the least that can be said of it.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from vitrail.ingest.fields import within
from vitrail.ingest.records import Field, Record
from vitrail.omop.sql import Node, sql
from vitrail.omop.tables import Column

INFERRED = "inferred"
"""The note of a record whose end was made here."""

ADMINISTERED = (32818, 38000179, 38000180, 43542358, 581373)
"""Type concepts of administrations: by the EHR, by a physician as a procedure, in hospital, by an order."""
WRITTEN = (32838, 38000177)
"""Type concepts of prescriptions that were written."""
MAIL_ORDER = (38000176,)
"""The type concept of what was dispensed by mail order."""
LONG_STAYS = (42898160,)
"""The visit concept of a stay in an institution other than a hospital."""
LONGEST_SUPPLY = 3_650
"""Days of supply above this are taken for a mistake, as are those below 1."""

TABLES = ("drug_exposure", "visit_occurrence", "visit_detail")


def with_inferred_end(record: Record, columns: Sequence[Column]) -> Record:
    """The record with an end wherever its start is there; the same record for tables whose end may be missing."""
    of = record.table
    fields = {each.column.name: each for each in record.fields}
    wanted = next((each for each in columns if each.name == of.end), None)
    if of.name not in TABLES or wanted is None or of.start not in fields:
        return record
    inferred = _drug_end(fields) if of.name == "drug_exposure" else _visit_end(of.name, fields[of.start].value, fields)
    end = fields.get(wanted.name)
    if end is None or end.text is None:
        return replace(record, fields=(*record.fields, Field(wanted, inferred)), notes={INFERRED: sql("true")})
    missing = sql("(:t) IS NULL", t=end.text)
    value = sql("CASE WHEN :m THEN :i ELSE :e END", m=missing, i=inferred, e=end.value)
    made = tuple(replace(each, value=value) if each is end else each for each in record.fields)
    return replace(record, fields=made, notes={**record.notes, INFERRED: missing.copy()})


def _drug_end(fields: dict[str, Field]) -> Node:
    start = fields["drug_exposure_start_date"].value
    days, kind = _value(fields, "days_supply"), _value(fields, "drug_type_concept_id")
    return sql(
        "coalesce(CASE WHEN :days BETWEEN 1 AND :most THEN :supplied END, CASE WHEN :administered THEN :start"
        " WHEN :written THEN :month WHEN :mailed THEN :quarter END, :start)",
        days=days,
        most=LONGEST_SUPPLY,
        supplied=within(sql(":s + CAST(:d AS INTEGER) - 1", s=start, d=days.copy())),
        start=start,
        month=within(sql(":s + 29", s=start)),
        quarter=within(sql(":s + 89", s=start)),
        administered=_one_of(kind, ADMINISTERED),
        written=_one_of(kind, WRITTEN),
        mailed=_one_of(kind, MAIL_ORDER),
    )


def _visit_end(table: str, start: Node, fields: dict[str, Field]) -> Node:
    concept = "visit_concept_id" if table == "visit_occurrence" else "visit_detail_concept_id"
    long = _one_of(_value(fields, concept), LONG_STAYS)
    return sql("CASE WHEN :long THEN last_day(:start) ELSE :start END", long=long, start=start)


def _value(fields: dict[str, Field], name: str) -> Node:
    return fields[name].value.copy() if name in fields else sql("CAST(NULL AS INTEGER)")


def _one_of(value: Node, concepts: Sequence[int]) -> Node:
    return exp.In(this=exp.paren(value.copy()), expressions=[exp.Literal.number(each) for each in concepts])
