"""Make a failing case small: leave out one part after another, as long as it still fails."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from tests.generative.strategies import Case
from vitrail.study.covariates import Covariate
from vitrail.study.study import Study

Fails = Callable[[Case], bool]


def shrunk(case: Case, fails: Fails) -> Case:
    """A case that fails as well and has no part that could be left out."""
    data = _without_most_cohorts(_plain(case), fails)
    smaller = True
    while smaller:
        smaller = False
        for way in list(_parts(data)):
            less = deepcopy(data)
            if _leave_out(less, way) and (tried := _case(less)) is not None and fails(tried):
                data, smaller = less, True
    found = _case(data)
    if found is None:
        raise ValueError("a case that was valid is valid no more")
    return found


def _without_most_cohorts(data: dict[str, Any], fails: Fails) -> dict[str, Any]:
    """Leave out cohorts by the half, the quarter and so on: each alone would take long."""
    size = len(data["study"]["cohorts"]) // 2
    while size:
        names = list(data["study"]["cohorts"])
        for first in reversed(range(0, len(names), size)):
            less = deepcopy(data)
            for name in names[first : first + size]:
                del less["study"]["cohorts"][name]
            less["study"]["analyses"]["who"]["cohorts"] = list(less["study"]["cohorts"])[:1]
            if (tried := _case(less)) is not None and fails(tried):
                data = less
        size //= 2
    return data


def written(case: Case) -> str:
    """A case as a person may read it."""
    data = _plain(case)
    question = {part: data["study"][part] for part in ("concept_sets", "cohorts")}
    return json.dumps([question, data["covariates"], data["tables"]], indent=1, default=str)


def _plain(case: Case) -> dict[str, Any]:
    return {
        "study": case.study.model_dump(mode="json", exclude_none=True, exclude_defaults=False),
        "covariates": [each.model_dump(mode="json", exclude_none=True) for each in case.covariates],
        "tables": deepcopy(case.tables),
    }


def _case(data: dict[str, Any]) -> Case | None:
    """The case again, or None where the words do not allow it."""
    try:
        study = Study.model_validate_json(json.dumps(data["study"]))
        covariates = [Covariate.model_validate_json(json.dumps(each)) for each in data["covariates"]]
    except ValidationError:
        return None
    return Case(study, covariates, data["tables"])


def _parts(data: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every part, the last of each list first, so that the ways to the others stay true."""
    steps: Any = reversed(range(len(data))) if isinstance(data, list) else list(data) if isinstance(data, dict) else ()
    for step in steps:
        if way:
            yield (*way, step)
        yield from _parts(data[step], (*way, step))


def _leave_out(data: Any, way: tuple[Any, ...]) -> bool:
    """Take a part away; False where it has gone with another."""
    *upper, last = way
    try:
        for step in upper:
            data = data[step]
        del data[last]
    except (KeyError, IndexError, TypeError):
        return False
    return True
