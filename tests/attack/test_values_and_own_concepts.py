"""Attacks on what few people share: values with many digits, names of a site's own concepts, clinicians.

Each with the defence off beside it.
"""

from pathlib import Path

import duckdb
import numpy as np
import pytest
from sqlglot import exp

from tests.attack.test_deidentification import Loaded
from tests.commands import bare_site
from tests.extracts import extract
from vitrail.deid import deidentify, own, rare, sharing
from vitrail.deid.columns import OWN, K
from vitrail.site.load import load

PEOPLE, VISITS = 1_000, 12
GROUP, COMMON, RARE, BEDSIDE, WARD = (OWN + n for n in range(1, 6))
CANARY = "Ward of Theodora Quillfeather"

_OWN = f"""
CREATE TABLE concept AS SELECT id AS concept_id, name AS concept_name, 'Measurement' AS domain_id,
    'Local' AS vocabulary_id, 'Lab Test' AS concept_class_id, 'S' AS standard_concept, name AS concept_code,
    DATE '1970-01-01' AS valid_start_date, DATE '2099-12-31' AS valid_end_date, NULL::TEXT AS invalid_reason
FROM (VALUES (3004249, 'Systolic blood pressure'), ({GROUP}, 'pressures'), ({COMMON}, 'pressure, sitting'),
    ({RARE}, '{CANARY}'), ({BEDSIDE}, 'nobody has it: {CANARY}'), ({WARD}, 'place: {CANARY}')) AS c(id, name);
CREATE TABLE concept_ancestor AS SELECT above AS ancestor_concept_id, below AS descendant_concept_id,
    levels AS min_levels_of_separation, levels AS max_levels_of_separation
FROM (VALUES ({GROUP}, {COMMON}, 1), ({GROUP}, {RARE}, 1), ({GROUP}, {GROUP}, 0), ({COMMON}, {COMMON}, 0),
    ({RARE}, {RARE}, 0), ({BEDSIDE}, {BEDSIDE}, 0), ({WARD}, {RARE}, 1)) AS a(above, below, levels);
CREATE TABLE care_site AS SELECT 1 AS care_site_id, {WARD} AS place_of_service_concept_id;
CREATE TABLE provider AS SELECT id AS provider_id FROM range(1, 3) AS p(id)
"""

_VALUES = f"""
SELECT * REPLACE (value_as_number + hash(measurement_id, 77) / 18446744073709551616.0 AS value_as_number,
    CASE WHEN person_id <= {K - 1} THEN {RARE} WHEN person_id % 2 = 0 THEN {COMMON} ELSE 3004249 END
        AS measurement_concept_id), '{CANARY}' AS measurement_source_value,
    CASE WHEN person_id <= {K - 1} THEN 1 ELSE 2 END AS provider_id
FROM read_parquet($path)
"""


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Values with 15 digits; a concept of the site's own that too few have, one that many have, and one above both."""
    path = extract(tmp_path_factory.mktemp("values") / "source", PEOPLE, VISITS)
    with duckdb.connect() as db:
        db.execute(_OWN)
        db.execute(f"CREATE TABLE measurement AS {_VALUES}", {"path": str(path / "measurement.parquet")})
        for name in ("concept", "concept_ancestor", "care_site", "provider", "measurement"):
            db.execute(f"COPY {name} TO '{path / name}.parquet'")
    return path


@pytest.fixture(scope="module")
def held(origin: Path, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return loaded(origin, tmp_path_factory.mktemp("held") / "site")


@pytest.fixture(scope="module")
def off(origin: Path, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """The same with the defences off."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rare, "DIGITS", 16)
        patch.setattr(sharing, "OWN", 2**40)
        patch.setattr(own, "held", lambda _: exp.true())
        patch.setattr(deidentify, "SERVING", ())
        return loaded(origin, tmp_path_factory.mktemp("off") / "site")


def loaded(origin: Path, where: Path) -> Loaded:
    place = bare_site(where)
    return Loaded(place, origin, load(place, origin, format="omop", profile="expert-determination"))


def linked(held: Loaded, digits: int) -> tuple[float, float]:
    """The share of the snapshot's values that a register of all true values links with one person, and rightly.

    Whoever keeps the register knows the design, and rounds as the snapshot does.
    """
    source, ids = held.truth()
    raw = held.array("SELECT person_id AS who, value_as_number AS value FROM {raw_measurement}")
    shown = held.array("SELECT person_id AS who, value_as_number AS value FROM {measurement}"
                       " WHERE value_as_number IS NOT NULL")  # fmt: skip
    known: dict[str, set[int]] = {}
    for who, value in zip(raw["who"].tolist(), raw["value"].tolist(), strict=True):
        known.setdefault(f"{value:.{digits - 1}e}", set()).add(who)
    true = dict(zip(ids.tolist(), source.tolist(), strict=True))
    links = [(true[who], known.get(f"{value:.{digits - 1}e}", set()))
             for who, value in zip(shown["who"].tolist(), shown["value"].tolist(), strict=True)]  # fmt: skip
    unique = np.array([len(found) == 1 for _, found in links])
    right = np.array([found == {who} for who, found in links])
    return float(unique.mean()), float(right.mean())


def texts(held: Loaded) -> str:
    """All that the snapshot's vocabulary says."""
    return str(duckdb.execute(f"SELECT * FROM '{held.snapshot.files['concept']}'").fetchall())


def test_values_of_four_digits_link_few_records(held: Loaded, off: Loaded) -> None:
    unique, right = linked(held, rare.DIGITS)
    assert right <= unique < 0.06
    assert linked(off, 15)[1] > 0.95  # but for the values at either end, which are drawn in


def test_a_clinician_of_few_people_is_not_told(held: Loaded, off: Loaded) -> None:
    """Ten people who had one clinician to themselves, a ward of their own say, would know each other by it."""
    query = "SELECT count(DISTINCT person_id) AS n FROM {measurement} GROUP BY provider_id"
    told = held.array(query)["n"].tolist()
    few, many = sorted(off.array(query)["n"].tolist())
    assert sorted(told) == [few, many]
    assert held.array("SELECT count(DISTINCT provider_id) AS n FROM {measurement}")["n"][0] == 1
    assert few < K


def test_rounding_is_counted(held: Loaded) -> None:
    values = held.array("SELECT count(value_as_number) AS n FROM {measurement}")["n"][0]
    ruled = {(each.table, each.column): each.changed for each in held.snapshot.manifest.ruled}
    assert ruled["measurement", "value_as_number"] >= 0.999 * values


def test_the_name_of_an_own_concept_that_few_have_is_left_out(held: Loaded, off: Loaded) -> None:
    assert CANARY not in texts(held)
    removed = {each.table: each.rows for each in held.snapshot.manifest.removed if each.reason == own.FEW_HAVE}
    assert removed == {"concept": 3, "concept_ancestor": 4}
    assert texts(off).count(CANARY) == 3 * 2


def test_a_text_that_only_the_sites_own_vocabulary_knows_is_left_out(held: Loaded, off: Loaded) -> None:
    """It stands in every record, as a clinician's name may: that many share it does not make it a code."""
    told = "SELECT count(measurement_source_value) AS n FROM {measurement}"
    assert held.array(told)["n"][0] == 0
    assert off.array(told)["n"][0] > PEOPLE


def test_what_enough_people_have_can_still_be_resolved(held: Loaded) -> None:
    """All concepts that records have stay, and those above them."""
    said = held.array("SELECT DISTINCT measurement_concept_id AS c FROM {measurement} ORDER BY 1")["c"].tolist()
    assert said == [0, 3004249, COMMON]
    assert held.array("SELECT concept_id AS c FROM {concept} ORDER BY 1")["c"].tolist() == [3004249, GROUP, COMMON]
    below = held.array(
        f"SELECT descendant_concept_id AS c FROM {{concept_ancestor}} WHERE ancestor_concept_id = {GROUP} ORDER BY 1"
    )
    assert below["c"].tolist() == [GROUP, COMMON]
