"""Ten thousand studies, good and hostile: none crashes, hangs or raises an untyped error, and no error tells anything.

What an error says is held to a closed vocabulary: words of the schema and of the reader's own sentences. So no text of
a file can be in it, planted or not.
"""

import ast
import re
import time
import traceback
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

import vitrail.study
from tests.generative import studies
from vitrail.errors import StudyError
from vitrail.study.reader import parse_study
from vitrail.study.strict_yaml import MAX_BYTES, MOST_PROBLEMS
from vitrail.study.study import Study

LONGEST = 2.0  # seconds of this process's time for any file; the clock on the wall depends on who else is at work
MIB = MAX_BYTES
WORD, NUMBER = r"[^\W\d]{2,}", r"\d[\d,.]*\d|\d"
HURT = (studies.mutated(), studies.misfits(), studies.noise)
FEW = (300, 100, 100, 500)  # good studies, and examples of each way to hurt them: 2,000 files
MANY = (2_500, 550, 550, 900)  # 10,000 files, for `make soak`


def runs(examples: int) -> settings:
    return settings(
        max_examples=examples,
        # LONGEST is asserted instead
        database=None,
        phases=(Phase.generate,),  # the first bad file says enough
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )


@cache
def vocabulary() -> tuple[frozenset[str], frozenset[str]]:
    """Words and numbers of the constants in the source of ``study`` and of the errors."""
    files = [*Path(vitrail.study.__path__[0]).rglob("*.py"), Path(vitrail.__path__[0]) / "errors.py"]
    constants: list[str] = []
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant):
                constants.append(f"{node.value:,}" if isinstance(node.value, int | float) else str(node.value))
            constants += (
                [node.target.id] if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) else []
            )
            constants += [node.arg] if isinstance(node, ast.arg) else []
    text = " ".join(constants)
    return frozenset(re.findall(WORD, text.lower())), frozenset(re.findall(NUMBER, text))


def told(error: StudyError) -> str:
    """Everything that an error could show anybody, less the places."""
    text = "".join(traceback.format_exception_only(error)) + "".join(map(str, error.problems)) + str(error)
    text += "".join(str(each) for each in (error.__cause__, error.__context__) if each is not None)
    return re.sub(r"[Ll]ine \d+|column \d+|line=\d+|column=\d+|\[\d+\]|in \d+ places", "", text)


def check(content: bytes, secret: str) -> Study | None:
    """Read ``content`` in time; the study, or None where it is wrong and the error keeps its promises."""
    start = time.process_time()
    read = _read(content)
    assert time.process_time() - start < LONGEST
    if isinstance(read, Study):
        return read
    text, (words, numbers) = told(read), vocabulary()
    assert secret not in text
    assert set(re.findall(WORD, text.lower())) <= words
    assert set(re.findall(NUMBER, text)) <= numbers
    assert 1 <= len(read.problems) <= MOST_PROBLEMS
    assert all(1 <= each.line <= len(content) + 1 and each.column >= 1 for each in read.problems)
    return None


def _read(content: bytes) -> Study | StudyError:
    try:
        return parse_study(content)
    except StudyError as error:
        return error


def same_everywhere(data: studies.Data) -> None:
    """YAML → Study → canonical JSON → Study, and JSON → Study, are one study with one id."""
    study = parse_study(studies.as_yaml(data).encode())
    from_json = Study.model_validate_json(studies.as_json(data))
    again = Study.model_validate_json(vitrail.wire.canonical(study.canonical()))
    assert study == from_json == again
    assert study.id == from_json.id == again.id


def try_them(examples: tuple[int, int, int, int]) -> int:
    """Try so many good studies and so many of each way to hurt them; how many files were read."""
    files = 0

    def good(data: studies.Data) -> None:
        nonlocal files
        files += 1
        same_everywhere(data)

    def hostile(planted: list[studies.Planted]) -> None:
        nonlocal files
        files += len(planted)
        for content, secret in planted:
            check(content, secret)

    runs(examples[0])(given(studies.good())(good))()
    for count, strategy in zip(examples[1:], HURT, strict=True):
        runs(count)(given(strategy)(hostile))()
    return files


def test_good_studies_keep_their_id_and_hostile_ones_tell_nothing() -> None:
    assert try_them(FEW) >= 2_000


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_ten_thousand_studies() -> None:
    assert try_them(MANY) >= 10_000


def bombs() -> Iterator[tuple[str, str]]:
    """Files of up to 1 MiB that cost a careless reader dearly."""
    for unit in (
        "[",
        "{",
        "- ",
        "? ",
        ": ",
        "a: {",
        "&a ",
        "*a ",
        "! ",
        '"',
        "'",
        "%",
        "|",
        "\n",
        " ",
        "\t",
        "#",
        "\\",
    ):
        yield repr(unit), unit * (MIB // len(unit))
    yield "block", "".join(" " * i + "a:\n" for i in range(1_000))
    laughs = "".join(f"b{i}: &b{i} [{', '.join([f'*b{i - 1}'] * 9)}]\n" for i in range(1, 50))
    yield "a billion laughs", "b0: &b0 ha\n" + laughs
    yield "merges", "a: &a {x: 1}\n" + "".join(f"k{i}:\n  <<: *a\n" for i in range(40_000))
    yield "one long word", "a" * MIB
    yield "one long number", "vitrail: " + "9" * (MIB - 10)
    yield "one long fraction", "vitrail: ." + "9" * (MIB - 11)
    yield "one long exponent", "vitrail: 1e" + "9" * (MIB - 12)
    yield "one long quote", '"' + "\\x41" * (MIB // 4 - 2) + '"'
    yield "values", "[" + "a," * (MIB // 2 - 2) + "]"
    yield "fields", "".join(f"k{i}: 1\n" for i in range(90_000))
    yield "the same field", "k: 1\n" * (MIB // 6)
    yield "documents", "--- a\n" * (MIB // 6)
    yield "one byte more", " " * (MIB + 1)


GOOD_TEXT = """
vitrail: study/1
title: t
purpose: early detection
question: q
protocol: p
authors: [A]
concept_sets: {c: {concepts: [CONCEPTS]}}
cohorts: {a: {entry: [{condition: c, where: [RULES]}]}NAMES}
analyses: {x: {kind: characterise, cohorts: [a]}}
"""


def crowds() -> Iterator[tuple[str, str]]:
    """Studies that hold ten thousand of something, right or wrong."""
    rule = "{name: n, of: {condition: c}, days: [0, 1]}"
    for name, concepts, rules, more in (
        ("right concepts", "{concept: 1}, " * 10_000, rule, ""),
        ("wrong concepts", "{concept: x}, " * 10_000, rule, ""),
        ("right rules", "{concept: 1}", f"{rule}, " * 5_000, ""),
        ("undefined names", "{concept: 1}", f"{rule}, ".replace("condition: c", "condition: zz") * 5_000, ""),
        ("unknown fields", "{concept: 1}", "{nn: n, oo: {dd: zz}}, " * 10_000, ""),
        ("wrong names", "{concept: 1}", rule, "".join(f", '!{i}': 1" for i in range(10_000))),
        ("a name that nearly fits", "{concept: 1}", rule, f", {'a' * 900_000}!: 1"),
    ):
        yield name, GOOD_TEXT.replace("CONCEPTS", concepts).replace("RULES", rules).replace("NAMES", more)


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in (*bombs(), *crowds())])
def test_bombs_and_crowds_are_read_in_time(text: str) -> None:
    check(text.encode(), "no secret here")


def test_the_good_text_is_good() -> None:
    text = GOOD_TEXT.replace("CONCEPTS", "{concept: 1}").replace("RULES", "").replace("NAMES", "")
    assert check(text.encode(), "no secret here") is not None


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1", "cp1252"])
def test_other_encodings_are_refused(encoding: str) -> None:
    assert check("title: Zq1234Kvé".encode(encoding), "Zq1234Kv") is None


def test_the_checks_above_can_fail() -> None:
    """A careless reader's error is caught by each of them."""
    words, numbers = vocabulary()
    assert "zqabc" not in words
    assert "123456789" not in numbers
    careless = StudyError("Nothing is called Zqabc here.", "Write 123456789.")
    assert "Zqabc" in told(careless)
    assert not set(re.findall(WORD, told(careless).lower())) <= words
