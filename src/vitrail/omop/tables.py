"""The tables and columns of the OMOP Common Data Model v5.4, and which of them a snapshot holds.

``cdm54.csv`` beside this file lists every column of every table, with its type, whether OMOP requires it, the table
that it refers to, and the domain of the concepts that it may hold; the facts are those of ``OMOP_CDMv5.4_Field_Level``
(https://ohdsi.github.io/CommonDataModel/cdm54.html). Types: ``id`` (64-bit integer), ``int`` (32-bit), ``date``,
``datetime``, ``float``, ``str``.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

Type = Literal["id", "int", "date", "datetime", "float", "str"]


@dataclass(frozen=True)
class Column:
    """A column: its OMOP name, its type, and whether OMOP requires it.

    ``references`` is the table whose key it holds (``concept`` for concepts), ``domain`` the domain that OMOP asks of
    its concepts; several are separated by a comma.
    """

    name: str
    type: Type
    required: bool
    references: str | None = None
    domain: str | None = None


@dataclass(frozen=True)
class Table:
    """A table: its OMOP name, its columns in OMOP's order, and, for events, the columns that tell what and when.

    ``earlier`` are columns of earlier versions, which cohorts may ask for and no snapshot holds.
    """

    name: str
    columns: tuple[Column, ...]
    concept: str | None = None
    start: str | None = None
    end: str | None = None
    earlier: tuple[Column, ...] = ()

    @property
    def key(self) -> str:
        """The name of the first column, the primary key (``person_id`` for person and death)."""
        return self.columns[0].name

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)


_WHAT_AND_WHEN = {
    "observation_period": (None, "observation_period_start_date", "observation_period_end_date"),
    "visit_occurrence": ("visit_concept_id", "visit_start_date", "visit_end_date"),
    "visit_detail": ("visit_detail_concept_id", "visit_detail_start_date", "visit_detail_end_date"),
    "condition_occurrence": ("condition_concept_id", "condition_start_date", "condition_end_date"),
    "drug_exposure": ("drug_concept_id", "drug_exposure_start_date", "drug_exposure_end_date"),
    "procedure_occurrence": ("procedure_concept_id", "procedure_date", "procedure_end_date"),
    "device_exposure": ("device_concept_id", "device_exposure_start_date", "device_exposure_end_date"),
    "measurement": ("measurement_concept_id", "measurement_date", None),
    "observation": ("observation_concept_id", "observation_date", None),
    "death": ("cause_concept_id", "death_date", None),
    "note": (None, "note_date", None),
    "specimen": ("specimen_concept_id", "specimen_date", None),
    "payer_plan_period": ("payer_concept_id", "payer_plan_period_start_date", "payer_plan_period_end_date"),
    "condition_era": ("condition_concept_id", "condition_era_start_date", "condition_era_end_date"),
    "drug_era": ("drug_concept_id", "drug_era_start_date", "drug_era_end_date"),
    "dose_era": ("drug_concept_id", "dose_era_start_date", "dose_era_end_date"),
    "episode": ("episode_concept_id", "episode_start_date", "episode_end_date"),
}
"""The columns of each table of events that tell what happened, when it began and when it ended."""
_EARLIER = {
    "drug_exposure": (
        Column("effective_drug_dose", "float", required=False),
        Column("dose_unit_concept_id", "id", required=False),
    )
}


def _read() -> dict[str, Table]:
    columns: dict[str, list[Column]] = {}
    with resources.files("vitrail.omop").joinpath("cdm54.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            required = row["required"] == "yes"
            column = Column(row["column"], row["type"], required, row["references"] or None, row["domain"] or None)  # type: ignore[arg-type]
            columns.setdefault(row["table"], []).append(column)
    return {name: _table(name, tuple(held)) for name, held in columns.items()}


def _table(name: str, columns: tuple[Column, ...]) -> Table:
    concept, start, end = _WHAT_AND_WHEN.get(name, (None, None, None))
    return Table(name, columns, concept, start, end, _EARLIER.get(name, ()))


CDM: Mapping[str, Table] = _read()
"""Every table of the Common Data Model, by its OMOP name."""

CLINICAL = (
    "person",
    "observation_period",
    "visit_occurrence",
    "visit_detail",
    "condition_occurrence",
    "drug_exposure",
    "procedure_occurrence",
    "device_exposure",
    "measurement",
    "observation",
    "death",
    "note",
    "specimen",
    "payer_plan_period",
    "condition_era",
    "drug_era",
    "dose_era",
    "episode",
)
"""Tables that speak of persons."""

PLACES = ("location", "care_site", "provider")
"""Tables of places and clinicians: without persons, but not the same for everybody."""

VOCABULARY = ("concept", "concept_ancestor", "concept_relationship")
"""Tables of the vocabulary: the same for everybody, without persons."""

TABLES: Mapping[str, Table] = {name: CDM[name] for name in (*CLINICAL, *PLACES, *VOCABULARY)}
"""The tables that a snapshot holds."""

LEFT_OUT = tuple(name for name in CDM if name not in TABLES)
"""Tables of the Common Data Model that no snapshot holds."""

EVENT_TABLE = {
    "condition": "condition_occurrence",
    "drug": "drug_exposure",
    "procedure": "procedure_occurrence",
    "measurement": "measurement",
    "observation": "observation",
    "device": "device_exposure",
    "visit": "visit_occurrence",
    "death": "death",
}
"""The table that holds a domain's events."""

_VISIT_NAMES = {
    "admitting_source_concept_id": "admitted_from_concept_id",
    "admitting_source_value": "admitted_from_source_value",
    "discharge_to_concept_id": "discharged_to_concept_id",
    "discharge_to_source_value": "discharged_to_source_value",
}
NAMES_BEFORE_5_4 = {
    "visit_occurrence": _VISIT_NAMES,
    "visit_detail": {
        **_VISIT_NAMES,
        "visit_detail_parent_id": "parent_visit_detail_id",
        "visit_start_date": "visit_detail_start_date",
        "visit_end_date": "visit_detail_end_date",
        "visit_type_concept_id": "visit_detail_type_concept_id",
    },
    "procedure_occurrence": {"qualifier_source_value": "modifier_source_value"},
}
"""Columns that later versions renamed: CDM 5.4 (https://ohdsi.github.io/CommonDataModel/cdm54Changes.html); 5.3.1,
which gave VISIT_DETAIL names of its own; and 5.3.0, which put the modifier of a procedure right
(https://github.com/OHDSI/CommonDataModel/releases)."""


def current_name(of: Table, name: str) -> str:
    """The name of a column in CDM 5.4, whatever version and letter case ``name`` is from."""
    return NAMES_BEFORE_5_4.get(of.name, {}).get(name.lower(), name.lower())


def current_names(of: Table, names: Sequence[str]) -> dict[str, str]:
    """The names in CDM 5.4 of a table's columns; one that it has under both names keeps the earlier there."""
    own = {name.lower() for name in names}
    current = {name: current_name(of, name) for name in names}
    return {name: name.lower() if now in own else now for name, now in current.items()}
