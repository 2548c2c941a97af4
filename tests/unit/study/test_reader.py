"""Where a study file is wrong, what is wrong with it, and what to write instead."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vitrail.errors import StudyError, StudyFileError
from vitrail.ingest.mapping import Mapping
from vitrail.study import explain
from vitrail.study.reader import parse_study, read_study
from vitrail.study.study import Study
from vitrail.study.word import Word

GOOD = """\
vitrail: study/1
title: Kidney disease after diabetes
purpose: early detection
question: Who?
protocol: As agreed.
authors: [A. Nurse]
concept_sets:
  diabetes: {concepts: [{concept: 2000000001}]}
cohorts:
  patients:
    entry:
      - condition: diabetes
    rules:
      - {name: seen before, of: {visit: any}, days: [-365, -1]}
analyses:
  who:
    kind: characterise
    cohorts: [patients]
"""

WRONG = [
    # what is replaced, by what, line, column, field, part of what is said
    ("title: Kidney disease after diabetes\n", "", 1, 1, "title", "is missing. Write one line of 1 to 200 characters"),
    ("As agreed.", "''", 5, 11, "protocol", "Write text of 1 to 20,000 characters"),
    ("early detection", "curiosity", 3, 10, "purpose", "Write one of early detection, external validation"),
    ("authors: [A. Nurse]", "authors: A. Nurse", 6, 10, "authors", "Write a list of 1 to 50, each text of"),
    ("authors:", "autors:", 6, 1, "", "not known here. Is it authors? The fields here are analyses, authors"),
    ("2000000001", "2147483648", 8, 35, "concept_sets[1].concepts[1].concept", "Write a whole number at least 0 and"),
    ("2000000001", '"2000000001"', 8, 35, "concept_sets[1].concepts[1].concept", "Write a whole number"),
    ("2000000001", "99999999999999999999", 8, 35, "", "an integer of more than 15 digits"),
    ("2000000001}", "1, descendants: yes}", 8, 51, "concept_sets[1].concepts[1].descendants", "Write true or false."),
    ("[patients]", "[patients", 19, 1, "", "a list is not closed"),
    ("  diabetes:", "  (diabetes):", 8, 3, "concept_sets[1]", "this name does not fit. Write a name: at most 80"),
    ("- condition: diabetes", "- {}", 12, 9, "cohorts[1].entry[1]", "not exactly one domain is given. Give one of"),
    ("condition: diabetes", "condition: other", 12, 20, "cohorts[1].entry[1].condition", "names no concept set of the"),
    ("{visit: any}", "{cohort: patients}", 11, 5, "cohorts[1]", "cohorts refer to each other in a circle"),
    ("[-365, -1]", "[-1, -365]", 14, 9, "cohorts[1].rules[1]", "ends before it starts. Write the earlier day first."),
    ("[-365, -1]", "[-1]", 14, 53, "cohorts[1].rules[1].days[2]", "this field is missing. Write a whole number"),
    ("kind: characterise", "kind: guess", 17, 11, "analyses[1].kind", "Write one of characterise, predict."),
    ("    kind: characterise\n", "", 17, 5, "analyses[1].kind", "missing. Write one of characterise, predict."),
    ("[patients]", "[people]", 18, 15, "analyses[1].cohorts[1]", "names a cohort that the study does not define"),
    ("title: Kid", "title: A: Kid", 2, 9, "", "a colon stands where none can. Put text that contains"),
    ("  patients:", "  patients: &p", 10, 13, "", "an anchor stands here"),
    ("question: Who?", "question: !!str Who?", 4, 11, "", "a tag stands here"),
    ("question: Who?", "question: *who", 4, 11, "", "an alias stands here"),
    ("question: Who?", "question: Who?\ntitle: again", 5, 1, "", "twice, first on line 2. Keep one of the two."),
    ("question: Who?", "question: Who?\n<<: {}", 5, 1, "", "a merge key stands here"),
    ("[-365, -1]", "[-.inf, -1]", 14, 54, "", "this number is not finite"),
    ("question: Who?", "question: Who?\x07", 4, 15, "", "a control character stands here"),
    ("question: Who?", "question: Wh\u202eo?", 4, 11, "question", "without control characters"),
    ("analyses:", "---\nanalyses:", 15, 1, "", "a second document begins here"),
]  # fmt: skip


def problem_of(text: str) -> StudyError:
    with pytest.raises(StudyError) as caught:
        parse_study(text.encode())
    return caught.value


def test_the_good_study_is_good() -> None:
    study = parse_study(GOOD.encode())
    assert study.title == "Kidney disease after diabetes"
    assert study.id.startswith("sha256:")


@pytest.mark.parametrize(("old", "new", "line", "column", "field", "said"), WRONG)
def test_an_error_names_the_place_and_says_what_to_write(
    old: str, new: str, line: int, column: int, field: str, said: str
) -> None:
    assert old in GOOD
    problems = problem_of(GOOD.replace(old, new, 1)).problems
    here = [each for each in problems if (each.line, each.column, each.field) == (line, column, field)]
    assert said in " ".join(map(str, here)), problems


def test_several_problems_are_told_together_and_no_more_than_ten() -> None:
    text = GOOD.replace("[-365, -1]", "[1.5, x]").replace("kind: characterise", "kind: guess").replace("study/1", "1")
    error = problem_of(text)
    assert [each.line for each in error.problems] == [1, 14, 14, 17]
    assert str(error).startswith("The study is wrong in 4 places.")
    assert len(problem_of(GOOD.replace("[A. Nurse]", f"[{'1, ' * 50}]")).problems) == 10


def test_the_same_study_has_the_same_id_however_it_is_written() -> None:
    long = GOOD.replace("{visit: any}", "\n          {visit: any}\n       ").replace("study/1", '"study/1"')
    assert parse_study(long.encode()).id == parse_study(GOOD.encode()).id
    assert parse_study(GOOD.replace("\n", "\r\n").encode("utf-8-sig")).id == parse_study(GOOD.encode()).id


def test_scalars_mean_what_yaml_1_2_says() -> None:
    study = parse_study(GOOD.replace("As agreed.", "2024-01-31").replace("  who:", "  on:").encode())
    assert study.protocol == "2024-01-31"
    assert list(study.analyses) == ["on"]
    octal = parse_study(GOOD.replace("[-365, -1]", "[-0365, 0x10]").encode())
    assert octal.cohorts["patients"].rules[0].days == (-365, 16)


def test_a_file_that_is_not_there_is_another_matter(tmp_path: Path) -> None:
    with pytest.raises(StudyFileError) as caught:
        read_study(tmp_path / "none.yaml")
    assert caught.value.exit_status == 2
    with pytest.raises(StudyFileError):
        read_study(tmp_path)
    (tmp_path / "wrong.yaml").write_text("vitrail: 1")
    with pytest.raises(StudyError) as wrong:
        read_study(tmp_path / "wrong.yaml")
    assert wrong.value.exit_status == 1


def described_parts(schema: Any) -> Iterator[Any]:
    """Every part of a schema that stands for a value."""
    if isinstance(schema, dict):
        for values in (schema.get("properties", {}), schema.get("patternProperties", {}), schema.get("$defs", {})):
            yield from values.values()
        yield from schema.get("prefixItems", ())
        yield from [schema["items"]] if "items" in schema else []
    if isinstance(schema, dict | list):
        for inner in schema.values() if isinstance(schema, dict) else schema:
            yield from described_parts(inner)


@pytest.mark.parametrize("word", [Study, Mapping])
def test_every_part_of_the_schema_has_words_for_what_to_write(word: type[Word]) -> None:
    schema = word.model_json_schema()
    parts = list(described_parts(schema))
    assert len(parts) > 40
    for part in parts:
        assert re.fullmatch(r"[a-z0-9].*", explain._described(part, schema["$defs"])), part
