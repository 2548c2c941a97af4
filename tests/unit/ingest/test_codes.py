"""From coded texts to standard concepts: each rule with the smallest vocabulary that shows it."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest
from sqlglot import exp

from vitrail.deid.columns import wanted
from vitrail.errors import SourceError
from vitrail.ingest.codes import load_site_map, map_codes
from vitrail.ingest.extract import open_schemas
from vitrail.ingest.vocabulary import load_vocabulary

Concept = tuple[int, str, str, str | None, str | None]

CONCEPTS: Sequence[Concept] = [
    # concept, vocabulary, code, standard, invalid reason
    (1, "A", "standard", "S", None),
    (2, "A", "other", None, None),
    (3, "A", "chain", None, None),
    (4, "A", "gone", "S", "D"),
    (5, "A", "updated", None, "U"),
    (6, "A", "circle", None, None),
    (7, "A", "circle back", None, None),
    (8, "B", "twice", None, "D"),
    (9, "B", "twice", "S", None),
    (10, "A", "with value", None, None),
    (11, "A", "classification", "C", None),
]
MAPS = [(2, 1), (2, 9), (3, 2), (5, 1), (6, 7), (7, 6), (10, 1)]
ENDED = [(3, 9)]


def mapped(
    texts: Sequence[str], site_map: str | None = None, directory: Path | None = None
) -> dict[str, list[tuple[int, ...]]]:
    """Concepts, values and source concepts of each text."""
    with duckdb.connect() as db:
        open_schemas(db)
        db.execute("CREATE TABLE extract.concept (concept_id INTEGER, vocabulary_id VARCHAR, concept_code VARCHAR,"
                   " standard_concept VARCHAR, invalid_reason VARCHAR, domain_id VARCHAR)")  # fmt: skip
        db.executemany("INSERT INTO extract.concept VALUES (?, ?, ?, ?, ?, 'Condition')", CONCEPTS)
        db.execute("CREATE TABLE extract.concept_relationship (concept_id_1 INTEGER, concept_id_2 INTEGER,"
                   " relationship_id VARCHAR, invalid_reason VARCHAR)")  # fmt: skip
        rows = [(a, b, "Maps to", None) for a, b in MAPS] + [(a, b, "Maps to", "D") for a, b in ENDED]
        db.executemany(
            "INSERT INTO extract.concept_relationship VALUES (?, ?, ?, ?)", [*rows, (10, 9, "Maps to value", None)]
        )
        path = None
        if site_map is not None and directory is not None:
            path = directory / "source_to_concept_map.csv"
            path.write_text(site_map)
        load_site_map(db, path)
        map_codes(db, exp.union(*(exp.select(exp.alias_(exp.Literal.string(each), "codes")) for each in [*texts, ""])))
        found: dict[str, list[tuple[int, ...]]] = {}
        query = (
            "SELECT codes, concept_id, value_concept_id, source_concept_id FROM lookup.concept_of ORDER BY codes, nth"
        )
        for codes, *concepts in db.execute(query).fetchall():
            found.setdefault(codes, []).append(tuple(concepts))
        return found


RULES = [
    ("a standard concept is itself", "A\tstandard", [(1, None, 1)]),
    ("one row for each concept that it maps to", "A\tother", [(1, None, 2), (9, None, 2)]),
    (
        "on from one that is not standard; a relationship that ended leads nowhere",
        "A\tchain",
        [(1, None, 3), (9, None, 3)],
    ),
    ("an invalid concept is not standard", "A\tgone", [(0, None, 4)]),
    ("but may map on", "A\tupdated", [(1, None, 5)]),
    ("a circle leads nowhere", "A\tcircle", [(0, None, 6)]),
    ("of two concepts with one code the valid one", "B\ttwice", [(9, None, 9)]),
    ("a value comes with the code", "A\twith value", [(1, 9, 10)]),
    ("a classification is no standard concept", "A\tclassification", [(0, None, 11)]),
    ("the same code of another vocabulary is another code", "C\tstandard", [(0, None, 0)]),
    ("codes are compared letter by letter", "A\tSTANDARD", [(0, None, 0)]),
    ("the first coding that leads to a standard concept", "A\tgone\nA\tother\nB\ttwice", [(1, None, 2), (9, None, 2)]),
    ("else the first that is known", "X\ty\nA\tgone\nA\tcircle", [(0, None, 4)]),
    ("words alone", "\t", [(0, None, 0)]),
]


def test_the_rules() -> None:
    found = mapped([text for _, text, _ in RULES])
    for name, text, expected in RULES:
        assert found[text] == expected, name


HEADER = (
    "source_code,source_concept_id,source_vocabulary_id,source_code_description,target_concept_id,target_vocabulary_id,"
)


def test_the_site_says_what_its_codes_mean(tmp_path: Path) -> None:
    """The site's list goes before the vocabulary; a target that is no standard concept is quarantined."""
    rows = ["own,0,Lab,made,1,A,,,", "own,0,Lab,made,9,B,,,", "other,2,A,made,9,B,,,", "ended,0,Lab,made,1,A,,,D",
            "lost,0,Lab,made,77,A,,,", "gone,0,Lab,made,4,A,,,"]  # fmt: skip
    text = f"{HEADER}valid_start_date,valid_end_date,invalid_reason\n" + "\n".join(rows) + "\n"
    found = mapped(["Lab\town", "A\tother", "Lab\tended", "Lab\tlost", "Lab\tgone"], text, tmp_path)
    assert found["Lab\town"] == [(1, None, 0), (9, None, 0)]
    assert found["A\tother"] == [(9, None, 2)]
    assert found["Lab\tended"] == found["Lab\tlost"] == found["Lab\tgone"] == [(0, None, 0)]


def test_what_is_wrong_with_a_list_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "source_to_concept_map.csv"
    path.write_text("source_code,source_vocabulary_id,target_concept_id\na,L,SECRET\nb,L,7\n,L,1\nd,L,1\n")
    with duckdb.connect() as db:
        open_schemas(db)
        db.execute("CREATE TABLE extract.concept AS SELECT 1 AS concept_id, 'S' AS standard_concept,"
                   " CAST(NULL AS VARCHAR) AS invalid_reason")  # fmt: skip
        (account,) = load_site_map(db, path)
    assert (account.rows_in, account.loaded) == (4, 1)
    assert {(each.reason, each.first_row) for each in account.quarantined} == {
        ("target_concept_id is not a whole number of 32 bits", 1),
        ("the target is no valid standard concept of the vocabulary", 2),
        ("source_code is missing", 3),
    }
    path.write_text("SECRET,b\n1,2\n")
    with duckdb.connect() as db:
        open_schemas(db)
        with pytest.raises(SourceError, match="lacks source_code") as caught:
            load_site_map(db, path)
    assert "SECRET" not in str(caught.value)


def test_ancestors_come_from_valid_relationships_where_a_vocabulary_has_none(tmp_path: Path) -> None:
    """A relationship that ended, or that leads out of the vocabulary, is none."""
    concepts = ["concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\tconcept_code"
                "\tvalid_start_date\tvalid_end_date\tinvalid_reason"]  # fmt: skip
    concepts += [f"{n}\tmade {n}\tCondition\tA\tMade\tS\tc{n}\t19700101\t20991231\t" for n in (1, 2, 3)]
    relations = ["concept_id_1\tconcept_id_2\trelationship_id\tvalid_start_date\tvalid_end_date\tinvalid_reason"]
    for below, above, reason in ((2, 1, ""), (3, 2, ""), (3, 1, "D"), (3, 77, "")):
        relations.append(f"{below}\t{above}\tIs a\t19700101\t20991231\t{reason}")
    (tmp_path / "CONCEPT.csv").write_text("\n".join(concepts) + "\n")
    (tmp_path / "CONCEPT_RELATIONSHIP.csv").write_text("\n".join(relations) + "\n")
    with duckdb.connect() as db:
        open_schemas(db)
        load_vocabulary(db, tmp_path, wanted())
        found = db.execute("SELECT * FROM extract.concept_ancestor ORDER BY ALL").fetchall()
    assert found == [(1, 1, 0, 0), (1, 2, 1, 1), (1, 3, 2, 2), (2, 2, 0, 0), (2, 3, 1, 1), (3, 3, 0, 0)]
