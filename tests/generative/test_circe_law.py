"""What we say in Circe's JSON is read as it was meant; what anybody else writes is read or refused, never worse."""

import json
import random
from collections import Counter
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.generative.definitions import definitions
from vitrail.errors import StudyError
from vitrail.study.circe import parse_circe, read_circe, write_circe
from vitrail.study.definition import Definition

Way = tuple[Any, ...]
QUICK = settings(
    database=None, derandomize=True, phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


def law_holds(examples: int) -> None:
    """What is written is read as it was meant."""

    @settings(QUICK, max_examples=examples)
    @given(definitions())
    def each(definition: Definition) -> None:
        assert read_circe(json.loads(json.dumps(write_circe(definition))), definition.id) == definition

    each()


def test_what_is_written_is_read_as_it_was_meant() -> None:
    law_holds(25)


@pytest.mark.slow
def test_much_that_is_written_is_read_as_it_was_meant() -> None:
    law_holds(1_500)


HOSTILE: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**63, 1e308, "", "'; DROP TABLE person; --", "\x00", "\ud800", "9" * 400, [], {}, [[]],
    "2010-13-45", "ALL", "AT_LEAST", -99, {"Value": 1}, {"Op": "bt", "Value": 1}, "%", "a" * 5_000,
)  # fmt: skip
SECRET = "Zq5ecretKv"


def ways(data: Any, at: Way = ()) -> list[Way]:
    steps = list(data) if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
    return [way for step in steps for way in ((*at, step), *ways(data[step], (*at, step)))]


def hurt(said: Any, chance: random.Random) -> Any:
    """A definition in which something is of another kind, unknown, missing, repeated, deep, or a secret."""
    copy = deepcopy(said)
    for _ in range(chance.choice((1, 1, 2, 4))):
        *above, last = chance.choice(ways(copy))
        part = copy
        for step in above:
            part = part[step]
        match chance.randrange(6):
            case 0:
                part[last] = deepcopy(chance.choice(HOSTILE))
            case 1:
                part[last] = chance.choice((SECRET, {SECRET: SECRET}, [SECRET]))
            case 2 if isinstance(part, dict):
                part[chance.choice((SECRET, f"{SECRET} x", "\u202e"))] = part.pop(last)
            case 3 if isinstance(part, list):
                part += deepcopy(part)
            case 4:
                part[last] = deepcopy(copy)
            case _:
                del part[last]
    return copy


def survives(content: bytes) -> bool:
    """Whether a definition is read; where it is not, the error is ours and says nothing of the file."""
    try:
        parse_circe(content, "1")
    except StudyError as error:
        told = str(error)
    else:
        return True
    assert SECRET not in told
    assert len(told) < 20_000
    return False


def outcomes(examples: int) -> Counter[bool]:
    found: Counter[bool] = Counter()

    @settings(QUICK, max_examples=examples)
    @given(definitions(), st.integers(0, 2**32))
    def each(definition: Definition, seed: int) -> None:
        chance = random.Random(seed)
        said = write_circe(definition)
        for _ in range(10):
            text = json.dumps(hurt(said, chance))
            if chance.randrange(10) == 0:
                at = chance.randrange(len(text))
                text = text[:at] + chance.choice(("{", "]", '"', "NaN", "[" * 99, "\x00", ",")) + text[at + 1 :]
            found[survives(text.encode())] += 1

    each()
    return found


def test_whatever_is_written_is_read_or_refused() -> None:
    found = outcomes(20)
    assert found[False] > 100
    assert found[True] > 5  # what was hurt may carry no meaning


@pytest.mark.slow
def test_five_thousand_hostile_definitions() -> None:
    assert outcomes(500).total() == 5_000
