"""Features computed the long way: one row, one analysis, one record after another, in plain Python.

Written from FeatureExtraction's documentation (3.14.0: the vignette *UsingFeatureExtraction* and the descriptions in
``PrespecAnalyses.csv``), with nothing of ``vitrail.omop.features``: the ids, windows and scores are said again here.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from fnmatch import fnmatchcase
from typing import Any

Tables = Mapping[str, list[dict[str, Any]]]
Row = tuple[int, date]
Cell = tuple[int, int, float]
"""A row's place, a covariate id and a value."""

CHARLSON = (
    (1, {4329847}), (1, {316139}), (1, {321052}), (1, {381591, 434056}), (1, {4182210}), (1, {4063381}),
    (1, {257628, 134442, 80800, 80809, 256197, 255348}), (1, {4247120}), (1, {4064161, 4212540}), (1, {201820}),
    (2, {443767, 442793}), (2, {192606, 374022}), (2, {4030518}), (2, {443392}),
    (3, {4245975, 4029488, 192680, 24966}), (6, {432851}), (6, {439727}),
)  # fmt: skip
CHADS2 = ((1, {316139}), (1, {316866}), (1, {201820}), (2, {381591, 434056}))
VASCULAR = {
    312327, 43020432, 314962, 312939, 315288, 317309, 134380, 196438, 200138, 194393, 319047, 40486130, 317003, 4313767,
    321596,
}  # fmt: skip
VASC = (
    (1, {316139, 314378}, {318773, 321319}, set()),
    (1, {320128, 442604, 201313}, set(), {197930}),
    (1, {201820, 442793}, set(), {195771, 376112, 4174977, 4058243, 193323, 376979}),
    (2, {4043731, 4110192, 375557, 4108356, 373503, 434656, 433505, 376714, 312337}, set(), set()),
    (1, VASCULAR, {317305, 321886, 314659, 321887, 437312, 134057}, set()),
)  # fmt: skip
"""Weight, concepts with what lies below them, concepts themselves, and what does not count."""
DCSI = {
    "retina": (
        {"250.5*", "362.01", "362.1", "362.83", "362.53", "362.81", "362.82"},
        {"361*", "369*", "362.02", "379.23"},
    ),
    "kidney": ({"250.4", "580*", "581*", "582*", "583*"}, {"585*", "586*", "593.9*"}),
    "nerves": (
        {
            "356.9*", "250.6*", "358.1*", "951.0*", "951.1*", "951.3*", "713.5*", "357.2*", "596.54", "337.0*",
            "337.1*", "564.5*", "536.3*", "458.0*", "354.?*", "355", "355.?*",
        },
        set(),
    ),
    "brain": ({"435*"}, {"431*", "433*", "434*", "436*"}),
    "heart": (
        {"440*", "411*", "413*", "414*", "429.2*"},
        {"410*", "427.1*", "427.3*", "427.4*", "427.5*", "412*", "428*", "441*", "440.23", "440.24"},
    ),
    "vessels": ({"250.7*", "442.3*", "892.1*", "443.9*", "443.81"}, {"785.4*", "707.1*", "040.0*", "444.22"}),
    "metabolism": (set(), {"250.1*", "250.2*", "250.3*"}),
}  # fmt: skip
"""ICD-9-CM codes that count one, and that count two."""
BROAD = {
    433736, 433595, 441408, 72404, 192671, 137977, 434621, 437312, 439847, 4171917, 438555, 4299449, 375258, 76784,
    40483532, 4145627, 434157, 433778, 258449, 313878,
}  # fmt: skip
STARTS = ("Disorder of", "Finding of", "Disease of", "Injury of")
ENDS = ("finding", "by site", "by body site", "by mechanism", "of body region", "of anatomical site")

LONG, SHORT, INDEX = -365, -30, 0


class Naive:
    """OMOP tables by name, each a list of rows; and questions about them."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.concepts = {each["concept_id"]: each for each in tables.get("concept", [])}
        self.above: dict[int, list[dict[str, Any]]] = {}
        for each in tables.get("concept_ancestor", []):
            self.above.setdefault(each["descendant_concept_id"], []).append(each)
        self.held: dict[str, dict[int, list[dict[str, Any]]]] = {}
        for name in tables:
            for record in tables[name]:
                if "person_id" in record:
                    self.held.setdefault(name, {}).setdefault(record["person_id"], []).append(record)

    def cells(self, rows: list[Row]) -> set[Cell]:
        """The cells of the default analyses for each row."""
        return {(place, key, value) for place, row in enumerate(rows) for key, value in self.of_row(*row)}

    def of_row(self, person: int, index: date) -> Iterator[tuple[int, float]]:
        """(covariate id, value) of one row."""
        yield from self.of_person(person, index)
        for analysis, low in ((210, LONG), (212, SHORT)):
            yield from self.ones(self.groups("condition_era", person, index, low), analysis)
        for analysis, low in ((410, LONG), (412, SHORT), (413, INDEX)):
            yield from self.ones(self.groups("drug_era", person, index, low), analysis)
        simple = {
            ("procedure_occurrence", "procedure", "procedure_date"): (502, 504),
            ("device_exposure", "device", "device_exposure_start_date"): (602, 604),
            ("measurement", "measurement", "measurement_date"): (702, 704),
            ("observation", "observation", "observation_date"): (802, 804),
        }
        for (table, what, when), analyses in simple.items():
            for analysis, low in zip(analyses, (LONG, SHORT), strict=True):
                found = {each[f"{what}_concept_id"] for each in self.near(table, person, index, low, when, when)}
                yield from self.ones(found, analysis)
        yield from self.of_measurements(person, index)
        yield from self.scores(person, index)

    def ones(self, concepts: set[int], analysis: int) -> Iterator[tuple[int, float]]:
        return ((concept * 1000 + analysis, 1.0) for concept in concepts if concept != 0)

    def of_person(self, person: int, index: date) -> Iterator[tuple[int, float]]:
        for each in self.held["person"].get(person, []):
            yield from self.ones({each["gender_concept_id"]}, 1)
            yield (index.year - each["year_of_birth"]) // 5 * 1000 + 3, 1.0
            for name, analysis in (("race", 4), ("ethnicity", 5)):
                concept = self.concepts.get(each[f"{name}_concept_id"])
                if concept is not None and (concept["concept_class_id"] or "").lower() == name:
                    yield concept["concept_id"] * 1000 + analysis, 1.0
            yield index.year * 1000 + 6, 1.0
            yield index.month * 1000 + 7, 1.0

    def near(
        self, table: str, person: int, index: date, low: int | None, start: str, end: str
    ) -> Iterator[dict[str, Any]]:
        """Records that have begun by the index, and that end no earlier than ``low`` days from it."""
        for each in self.held.get(table, {}).get(person, []):
            late = low is None or (each[end] is not None and each[end] >= index + timedelta(days=low))
            if each[start] <= index and late:
                yield each

    def groups(self, table: str, person: int, index: date, low: int) -> set[int]:
        what = table.removesuffix("_era")
        eras = self.near(table, person, index, low, f"{table}_start_date", f"{table}_end_date")
        of = self.is_drug_group if what == "drug" else self.is_condition_group
        above = (link for era in eras for link in self.above.get(era[f"{what}_concept_id"], []))
        return {link["ancestor_concept_id"] for link in above if of(link["ancestor_concept_id"])}

    def is_drug_group(self, key: int) -> bool:
        each = self.concepts.get(key)
        if each is None:
            return False
        atc = each["vocabulary_id"] == "ATC" and len(each["concept_code"]) in (1, 3, 4, 5)
        standard = each["standard_concept"] == "S" and each["domain_id"] == "Drug"
        return atc or (standard and each["concept_class_id"] == "Ingredient")

    def is_condition_group(self, key: int) -> bool:
        each = self.concepts.get(key)
        links = [link for link in self.above.get(key, []) if link["ancestor_concept_id"] == 441840]
        deep = any(link["min_levels_of_separation"] > 2 for link in links) or (links and key in BROAD)
        if each is None or not deep or each["domain_id"] != "Condition":
            return False
        name = each["concept_name"]
        return not (name.startswith(STARTS) or name.endswith(ENDS) or "of specific body structure" in name)

    def of_measurements(self, person: int, index: date) -> Iterator[tuple[int, float]]:
        for table, banded, coded in (("measurement", (710, 712), (714, 716)), ("observation", (), (806, 808))):
            for place, low in enumerate((LONG, SHORT)):
                for each in self.near(table, person, index, low, f"{table}_date", f"{table}_date"):
                    concept, value = each[f"{table}_concept_id"], each["value_as_concept_id"]
                    if concept and value:
                        top = (concept * 2654435769 // 4096) % 2**20
                        bottom = (value * 2654435769 // 1024) % 2**22
                        yield (top * 2**22 + bottom) * 1000 + coded[place], 1.0
                    if banded and concept and each["range_low"] is not None and each["range_high"] is not None:
                        yield concept * 10000 + self.band(each) * 1000 + banded[place], 1.0

    def band(self, each: dict[str, Any]) -> int:
        number = each["value_as_number"]
        below, above = (
            number is not None and number < each["range_low"],
            number is not None and number > each["range_high"],
        )
        return 1 if below else 3 if above else 2

    def scores(self, person: int, index: date) -> Iterator[tuple[int, float]]:
        eras = self.near("condition_era", person, index, None, "condition_era_start_date", "condition_era_start_date")
        had = {link["ancestor_concept_id"] for era in eras for link in self.above.get(era["condition_concept_id"], [])}
        charlson = sum(weight for weight, concepts in CHARLSON if had & concepts)
        if charlson:
            yield 1901, float(charlson)
        yield from self.dcsi({era["condition_concept_id"] for era in self.ever(person, index)})
        for each in self.held["person"].get(person, []):
            age = index.year - each["year_of_birth"]
            yield 1903, float(sum(weight for weight, concepts in CHADS2 if had & concepts) + (age >= 75))
            points = sum(weight for weight, *sets in VASC if self.counts(person, index, *sets))
            yield 1904, float(points + (age >= 65) + (age >= 75) + (each["gender_concept_id"] == 8532))

    def ever(self, person: int, index: date) -> Iterator[dict[str, Any]]:
        return self.near("condition_era", person, index, None, "condition_era_start_date", "condition_era_start_date")

    def counts(self, person: int, index: date, below: set[int], themselves: set[int], never: set[int]) -> bool:
        for era in self.ever(person, index):
            concept = era["condition_concept_id"]
            above = {link["ancestor_concept_id"] for link in self.above.get(concept, [])}
            known = self.concepts.get(concept)
            itself = concept in below | themselves and known is not None and known["invalid_reason"] is None
            if (above & below or (itself and not never)) and not above & never:
                return True
        return False

    def dcsi(self, had: set[int]) -> Iterator[tuple[int, float]]:
        codes = set()
        for link in self.tables.get("concept_relationship", []):
            source, target = self.concepts.get(link["concept_id_1"]), self.concepts.get(link["concept_id_2"])
            if link["relationship_id"] != "Maps to" or not source or not target or target["concept_id"] not in had:
                continue
            if source["vocabulary_id"] == "ICD9CM" and target["vocabulary_id"] == "SNOMED":
                codes.add(source["concept_code"])
        total = 0
        for one, two in DCSI.values():
            hits = [
                worth for worth, like in ((1, one), (2, two)) if any(fnmatchcase(c, x) for c in codes for x in like)
            ]
            total += max(hits, default=0)
        if total:
            yield 1902, float(total)

    def others(self, rows: list[Row]) -> set[Cell]:
        """Measurement values (706), visit counts (920), counts by kind of visit (923), distinct measurements (914)."""
        return {(place, *cell) for place, row in enumerate(rows) for cell in self.numbers(*row)}

    def numbers(self, person: int, index: date) -> Iterator[tuple[int, float]]:
        when = "measurement_date"
        near = self.near("measurement", person, index, LONG, when, when)
        records = [each for each in near if each["measurement_concept_id"]]
        if records:
            yield 1914, float(len({each["measurement_concept_id"] for each in records}))
        latest: dict[tuple[int, int], tuple[int, float]] = {}
        for each in records:
            number, unit = each["value_as_number"], each["unit_concept_id"]
            if number is not None and unit is not None:
                key, found = (each["measurement_concept_id"], unit), (-each[when].toordinal(), number)
                latest[key] = min(latest.get(key, found), found)
        for (concept, unit), (_, number) in latest.items():
            yield concept * 10**6 + unit % 1000 * 1000 + 706, number
        visits = self.near("visit_occurrence", person, index, LONG, "visit_start_date", "visit_end_date")
        kinds = [each["visit_concept_id"] for each in visits if each["visit_concept_id"]]
        if kinds:
            yield 1920, float(len(kinds))
        for kind in set(kinds):
            yield kind * 1000 + 923, float(kinds.count(kind))
