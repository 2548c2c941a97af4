"""Studies made by hypothesis: good ones as data, and what becomes of their text in bad hands."""

import json
from copy import deepcopy
from typing import Any

import yaml
from hypothesis import strategies as st

from vitrail.study.analyses.characterise import AGE_GROUP, SEX

Data = dict[str, Any]
Planted = tuple[bytes, str]
"""A file, and a secret that may be in it."""

VARIANTS = 6
"""How many bad files are made of one good study; making the good one costs most."""

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
SIGNS = " _.,:()/+%<>=≥≤'-"
HIDDEN = "\ufeff" + "".join(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))

TAKEN = ("any", AGE_GROUP, SEX)
"""Names that mean something."""

names = st.builds(str.__add__, st.sampled_from(LETTERS), st.text(LETTERS + SIGNS, max_size=15)).filter(
    lambda name: name not in TAKEN
)
prose = st.builds(
    str.__add__, st.just("x"), st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters=HIDDEN))
)
numbers = st.one_of(st.integers(-(2**53) + 1, 2**53 - 1), st.floats(allow_nan=False, allow_infinity=False))
days = st.one_of(st.none(), st.integers(-36_525, 36_525))
DOMAINS = ("condition", "drug", "procedure", "measurement", "observation", "device", "visit", "death")


def window() -> st.SearchStrategy[list[int | None]]:
    return st.tuples(days, days).map(lambda pair: list(pair) if None in pair else sorted(pair))


def some(draw: st.DrawFn, data: Data, **optional: st.SearchStrategy[Any]) -> Data:
    """``data`` with some of the optional fields."""
    for name, values in optional.items():
        if draw(st.booleans()):
            data[name] = draw(values)
    return data


@st.composite
def events(draw: st.DrawFn, sets: list[str], cohorts: list[str]) -> Data:
    if cohorts and draw(st.booleans()):
        return {"cohort": draw(st.sampled_from(cohorts))}
    domain = draw(st.sampled_from(DOMAINS))
    event: Data = {domain: draw(st.sampled_from([*sets, "any"]))}
    if domain in ("measurement", "observation"):
        limits = st.dictionaries(st.sampled_from(["at_least", "above", "at_most", "below"]), numbers, min_size=1)
        some(draw, event, value=limits, value_concepts=st.sampled_from(sets))
    return event


@st.composite
def rules(draw: st.DrawFn, sets: list[str], cohorts: list[str]) -> Data:
    rule: Data = {"name": draw(names), "of": draw(events(sets, cohorts)), "days": draw(window())}
    return some(draw, rule, at_least=st.integers(0, 5), at_most=st.integers(5, 10_000))


@st.composite
def cohorts(draw: st.DrawFn, sets: list[str], earlier: list[str]) -> Data:
    few = st.lists(rules(sets, earlier), max_size=2)
    entry = draw(st.lists(events(sets, earlier), min_size=1, max_size=2))
    span = st.fixed_dictionaries({}, optional={"before": st.integers(0, 36_525), "after": st.integers(0, 36_525)})
    return some(
        draw,
        {"entry": [some(draw, dict(each), where=few) for each in entry]},
        observed=span,
        keep=st.sampled_from(["first", "every", "first_of_each_year"]),
        rules=few,
        limit=st.sampled_from(["first", "every"]),
        exit=st.fixed_dictionaries({"days_after_start": st.one_of(st.none(), st.integers(0, 36_525))}),
    )


@st.composite
def covariates(draw: st.DrawFn, sets: list[str], cohort_names: list[str]) -> Data:
    kind = draw(st.sampled_from(["age", "sex", "has", "last"]))
    if kind == "age":
        return {"name": draw(names), "age": True, "centre": draw(numbers), "per": draw(st.floats(0.001, 1e9))}
    if kind == "sex":
        return {"name": draw(names), "sex": draw(st.sampled_from(["female", "male"]))}
    event = draw(events(sets, cohort_names)) if kind == "has" else {"measurement": draw(st.sampled_from(sets))}
    covariate: Data = {"name": draw(names), kind: event, "days": draw(window())}
    return some(draw, covariate, if_missing=numbers) if kind == "last" else covariate


@st.composite
def analyses(draw: st.DrawFn, sets: list[str], cohort_names: list[str]) -> Data:
    one = st.sampled_from(cohort_names)
    table = st.lists(covariates(sets, cohort_names), max_size=3, unique_by=lambda each: each["name"])
    if draw(st.booleans()):
        incidence = st.fixed_dictionaries({"name": names, "population": one, "outcome": one})
        rates = st.lists(incidence, max_size=2, unique_by=lambda each: each["name"])
        about = {"kind": "characterise", "cohorts": draw(st.lists(one, min_size=1, max_size=3, unique=True))}
        return some(draw, about, table=table, incidence=rates)
    features = draw(table) or [{"name": "age", "age": True}]
    horizon = sorted(draw(st.tuples(st.integers(0, 36_525), st.integers(0, 36_525))))
    asked = {"kind": "predict", "target": draw(one), "outcome": draw(one), "horizon": horizon}
    return some(
        draw,
        {**asked, "covariates": features},
        test_share=st.floats(0, 0.9),
        leave_one_site_out=st.booleans(),
        thresholds=st.lists(st.floats(0.001, 0.999), max_size=3),
        max_rounds=st.integers(2, 60),
    )


@st.composite
def good(draw: st.DrawFn) -> Data:
    """A study as data, every name that it uses defined."""
    sets = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    cohort_names = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    item = st.fixed_dictionaries(
        {"concept": st.integers(0, 2**31 - 1)}, optional={"descendants": st.booleans(), "exclude": st.booleans()}
    )
    items = st.lists(item, min_size=1, max_size=3)
    return {
        "vitrail": "study/1",
        "title": draw(st.text(LETTERS + SIGNS + "éß日本", max_size=30)) + "t",
        "purpose": draw(st.sampled_from(["early detection", "external validation", "characterisation"])),
        "question": draw(prose),
        "protocol": draw(prose),
        "authors": draw(st.lists(prose, min_size=1, max_size=2)),
        "concept_sets": {name: {"concepts": draw(items)} for name in sets},
        "cohorts": {name: draw(cohorts(sets, cohort_names[:i])) for i, name in enumerate(cohort_names)},
        "analyses": draw(st.dictionaries(names, analyses(sets, cohort_names), min_size=1, max_size=2)),
    }


class Dumper(yaml.CSafeDumper):
    """PyYAML writes YAML 1.1; text that YAML 1.2 would take for a number is quoted here."""


def _text(dumper: Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if text[:1] in "0123456789.+-" else None)


Dumper.add_representer(str, _text)


def as_yaml(data: object) -> str:
    """``data`` as somebody would write it."""
    return str(yaml.dump(data, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=1000))


HOSTILE = (
    ".nan", "-.inf", "1e999", "9" * 30, "0x" + "f" * 40, "yes", "null", "2024-01-31", "12:30:45", "-1", "0", "1.5",
    "!!python/name:os.system x", "!secret x", "&a [*a]", "*a", "{<<: {a: 1}}", "''", "true", "[]", "{}", "x" * 300,
    '"\\0"', '"\\e[31m"', "\x00", "\x07", "\u202e", "\ufeff", "\r", "\u2028", "\ud7ff", "\t",
    "[" * 50, "{a: " * 50, "- " * 50, "? " * 50, "|", ">", "%", "@", "`", '"', "'", "---", "...", "#", ": ",
)  # fmt: skip
"""What is put in the place of good text."""

SECRETS = st.integers(10**9, 10**12).map(lambda number: f"Zq{number:x}Kv")
"""Values that occur nowhere by chance."""


@st.composite
def mutated(draw: st.DrawFn) -> list[Planted]:
    """The text of a good study, hurt in a few places, several times over."""
    text = as_yaml(draw(good()))
    return [draw(_hurt(text)) for _ in range(VARIANTS)]


@st.composite
def _hurt(draw: st.DrawFn, text: str) -> Planted:
    secret = draw(SECRETS)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.sampled_from([0, 0, 1, 3, 20, 200])))
        text = text[:at] + draw(st.sampled_from([*HOSTILE, "", "\n", text[:at][-40:], secret])) + text[end:]
    return text.encode(errors="surrogatepass"), secret


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.integers(), st.text(max_size=8), st.floats()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def misfits(draw: st.DrawFn) -> list[Planted]:
    """A good study in which one part is of another shape, or has a secret as value, key or name; several times over."""
    data = draw(good())
    return [draw(_misfit(deepcopy(data))) for _ in range(VARIANTS)]


@st.composite
def _misfit(draw: st.DrawFn, data: Data) -> Planted:
    secret = draw(SECRETS)
    *way, last = draw(st.sampled_from(_ways(data)))
    part: Any = data
    for step in way:
        part = part[step]
    match draw(st.sampled_from(["value", "secret", "key", "rename", "drop"])):
        case "value":
            part[last] = draw(json_values)
        case "secret":
            part[last] = draw(st.sampled_from([secret, [secret], {secret: secret}, int(secret[2:-2], 16)]))
        case "key" if isinstance(part, dict):
            part[secret] = draw(json_values)
        case "rename" if isinstance(part, dict):
            part[secret] = part.pop(last)
        case _:
            del part[last]
    return as_yaml(data).encode(errors="replace"), secret


def _ways(data: Any) -> list[list[Any]]:
    """The way to every part of ``data``."""
    steps = list(data) if isinstance(data, dict) else list(range(len(data))) if isinstance(data, list) else []
    return [[step, *rest] for step in steps for rest in [[], *_ways(data[step])]]


random_yaml = json_values.map(as_yaml).map(lambda text: text.encode(errors="replace"))
random_text = st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=10), st.just("\n  ")), max_size=12).map(
    lambda parts: "".join(parts).encode(errors="surrogatepass")
)
noise = st.tuples(st.one_of(random_yaml, random_text, st.binary(max_size=200)), SECRETS).map(lambda planted: [planted])


def as_json(data: object) -> str:
    """``data`` as JSON, which is YAML too."""
    return json.dumps(data, ensure_ascii=False)
