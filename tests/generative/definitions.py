"""Definitions of cohorts made by hypothesis, over every attribute of every domain.

``definitions()`` says nothing that Circe cannot say, in the form in which Circe's JSON is read; ``wider()`` says all
that a cohort may say.
"""

from typing import Any

from hypothesis import strategies as st

from vitrail.study.attributes import ANYWHERE, ATTRIBUTES, COUNTED
from vitrail.study.circe.limits import rounded
from vitrail.study.circe.table import COUNT_COLUMNS, CRITERIA, DEMOGRAPHIC, Attribute, Kind
from vitrail.study.cohort import Event
from vitrail.study.definition import Definition
from vitrail.study.definition_file import CohortFile

Json = dict[str, Any]

SETS = ("A", "B", "gout, acute (2)")
names = st.sampled_from(SETS)
integers = st.sampled_from((0, 1, 18, 365, -3))
fractions = st.sampled_from((0.0, 0.5, 2.25, -1.0, 6.5333, 1e6))
days = st.sampled_from(("1999-12-31", "2010-06-15", "2020-02-29", "2009-01-01"))
ids = st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=3)
counts = st.integers(0, 3)


def limits(values: st.SearchStrategy[Any], least: str, above: str, most: str, below: str) -> st.SearchStrategy[Json]:
    """Limits that one range of Circe's says."""
    one = st.one_of(*(values.map(lambda value, name=name: {name: value}) for name in (least, above, most, below)))
    pair = st.tuples(values, values)
    return st.one_of(
        one, pair.map(lambda two: {least: two[0], most: two[1]}), pair.map(lambda two: {"outside": list(two)})
    )


def numbers(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return limits(values.map(lambda value: rounded(float(value))), "at_least", "above", "at_most", "below")


dates = limits(days, "since", "after", "until", "before")
texts = st.text(st.characters(exclude_characters="%_\0", exclude_categories=("Cs",)), max_size=5)
WORDINGS = ("starts_with", "ends_with", "contains", "not_starting_with", "not_ending_with", "not_containing")
wordings = st.tuples(st.sampled_from(WORDINGS), texts).map(lambda pair: {pair[0]: pair[1]})
spans = st.sampled_from(({"start": "2010-01-01"}, {"end": "2012-01-01"}, {"start": "2010-01-01", "end": "2012-01-01"}))


@st.composite
def coded(draw: st.DrawFn, attribute: Attribute) -> Json:
    kind = attribute.kind
    if kind is Kind.SET:
        return {"within": draw(names)}
    if draw(st.integers(0, 7)) == 0:
        return {"recorded": draw(st.booleans()) or attribute.field == "visit_type"}
    found: Json = {}
    if kind is not Kind.SELECTED and draw(st.booleans()):
        found[draw(st.sampled_from(("any_of", "none_of"))) if kind is Kind.TYPED else "any_of"] = draw(ids)
    if not found or draw(st.booleans()):
        found[draw(st.sampled_from(("within", "outside")))] = draw(names)
    return found


def limit(attribute: Attribute) -> st.SearchStrategy[Any]:
    plain: dict[Kind, st.SearchStrategy[Any]] = {
        Kind.FLAG: st.just(True), Kind.DATES: dates, Kind.WHOLE: numbers(integers), Kind.NUMBER: numbers(fractions),
        Kind.SOURCE: names, Kind.TEXT: wordings, Kind.PERIOD: spans,
    }  # fmt: skip
    return plain[attribute.kind] if attribute.kind in plain else coded(attribute)


@st.composite
def events(draw: st.DrawFn, depth: int = 1, few: int = 3) -> Json:
    """An event of any domain with a few of its attributes, and perhaps rules around it."""
    kind = draw(st.sampled_from(CRITERIA))
    event: Json = {kind.domain: draw(st.sampled_from((*SETS, "any"))) if kind.codeset else "any"}
    own = [each for each in kind.attributes if each.field]
    for attribute in draw(st.lists(st.sampled_from(own), max_size=few, unique_by=lambda each: each.field)):
        event[attribute.field] = draw(limit(attribute))
    if kind.adjusted != "unheard" and draw(st.booleans()):
        side = st.sampled_from(("start", "end"))
        sides = (draw(side), draw(side)) if kind.adjusted == "as said" else ("start", "end")
        event["moved"] = {
            "start_from": sides[0], "start_days": draw(integers), "end_from": sides[1], "end_days": draw(integers),
        }  # fmt: skip
    if depth and draw(st.booleans()):
        event["where"] = draw(where(depth - 1))
    return event


@st.composite
def where(draw: st.DrawFn, depth: int) -> list[Json]:
    group = draw(groups(depth))
    return group["rules"] if group["need"] == "all" else [{"group": group}]


@st.composite
def windows(draw: st.DrawFn) -> list[int | None]:
    low, high = draw(st.none() | integers), draw(st.none() | integers)
    return [high, low] if low is not None and high is not None and low > high else [low, high]


side = st.sampled_from(("start", "end"))
around = st.fixed_dictionaries({"days": windows(), "index": side, "event": side})
elsewhere = around.filter(lambda each: each["index"] == "end" or each["event"] == "end")
"""Windows that the plain ``days`` cannot say."""


@st.composite
def counting(draw: st.DrawFn, depth: int) -> Json:
    """A rule that counts events."""
    event = draw(events(depth, few=1))
    rule: Json = {"of": event, **draw(st.sampled_from(TIMES))}
    if draw(st.booleans()):
        rule |= {"days": draw(windows())} | ({"windows": [draw(around)]} if draw(st.booleans()) else {})
    else:
        rule["windows"] = [draw(elsewhere), *([draw(around)] if draw(st.booleans()) else [])]
    domain = next(iter(event))
    counted = [each for each in COUNTED[domain] if each in COUNT_COLUMNS.values()]
    optional = {"distinct": st.sampled_from(counted), "same_visit": st.just(True), "unobserved": st.just(True)}
    return {**rule, **{name: draw(values) for name, values in optional.items() if draw(st.booleans())}}


TIMES = ({"at_least": 0}, {"at_least": 2}, {"at_most": 0}, {"at_most": 2}, {"at_least": 1, "at_most": 1})
FEW = st.integers(0, 2)


@st.composite
def persons(draw: st.DrawFn) -> Json:
    chosen = draw(st.lists(st.sampled_from(DEMOGRAPHIC), max_size=3, unique_by=lambda each: each.field))
    return {"person": {each.field: draw(limit(each)) for each in chosen}}


@st.composite
def groups(draw: st.DrawFn, depth: int = 1) -> Json:
    """A group of at least two rules, in the order in which Circe lists them."""
    rules = [draw(counting(depth)), *(draw(counting(0)) for _ in range(draw(FEW)))]
    rules += [draw(persons()) for _ in range(draw(FEW))]
    rules += [{"group": draw(groups(depth - 1))} for _ in range(draw(FEW) if depth else 0)]
    rules += [draw(persons())] if len(rules) == 1 else []
    need = draw(st.sampled_from(("all", "any", "at_least", "at_most")))
    return {"need": need, "rules": rules} | ({"count": draw(counts)} if need.startswith("at_") else {})


@st.composite
def rules(draw: st.DrawFn) -> list[Json]:
    """The rules of a cohort, each named: of one kind, or a group."""
    several = st.lists(
        st.one_of(counting(1), persons(), groups().map(lambda group: {"group": group})), max_size=2
    )  # fmt: skip
    return [{"name": f"rule {place}", **each} for place, each in enumerate(draw(several))]


exits = st.one_of(
    st.just({}),
    integers.map(lambda days: {"days_after_start": days}),
    integers.map(lambda days: {"days_after_end": days}),
    st.fixed_dictionaries(
        {"drug": names, "gap": st.sampled_from((0, 30)), "offset": st.sampled_from((0, 7))},
        optional={"days_supply": st.sampled_from((1, 30))},
    ).map(lambda era: {"exposed_to": era}),
)
items = st.fixed_dictionaries(
    {"concept": st.integers(0, 2**31 - 1), "descendants": st.booleans(), "exclude": st.booleans()},
    optional={"mapped": st.just(True)},
)


@st.composite
def cohorts(draw: st.DrawFn) -> Json:
    """A cohort that Circe can say."""
    cohort: Json = {
        "entry": draw(st.lists(events(), min_size=1, max_size=2)),
        "observed": draw(
            st.fixed_dictionaries({"before": st.sampled_from((0, 365)), "after": st.sampled_from((0, 1))})
        ),
        "keep": draw(st.sampled_from(("first", "last", "every"))),
        "rules": draw(rules()),
        "limit": draw(st.sampled_from(("first", "last", "every"))),
        "exit": draw(exits),
    }
    if draw(st.booleans()):
        cohort |= {"also": draw(groups())} | draw(st.sampled_from(({}, {"qualified": "first"}, {"qualified": "last"})))
    optional = {
        "censor": st.lists(events(0), min_size=1, max_size=2), "era_pad": st.sampled_from((1, 90)), "clip": spans,
    }  # fmt: skip
    return cohort | {name: draw(values) for name, values in optional.items() if draw(st.booleans())}


def _definition(cohort: Json, sets: list[list[Json]]) -> Definition:
    said = {"concept_sets": {name: {"concepts": each} for name, each in zip(SETS, sets, strict=True)}, "cohort": cohort}
    file = CohortFile.model_validate(said, strict=False)
    return Definition("1", file.cohort, file.concept_sets)


_sets = st.lists(st.lists(items, min_size=1, max_size=2), min_size=len(SETS), max_size=len(SETS))


def definitions() -> st.SearchStrategy[Definition]:
    """Definitions that Circe can say, in the form in which its JSON is read."""
    return st.builds(_definition, cohorts(), _sets)


BEYOND = {"keep": "first_of_each_year", "eras_within_observation": True}
"""What Circe cannot say of a cohort."""


def wider() -> st.SearchStrategy[Definition]:
    """Definitions that say what Circe cannot say, too."""
    more = st.sampled_from(({}, {"keep": "first_of_each_year"}, {"eras_within_observation": True}))
    return st.builds(_definition, st.builds(lambda cohort, beyond: cohort | beyond, cohorts(), more), _sets)


def fields_of(domain: str) -> set[str]:
    """Every attribute of a domain."""
    return {*ANYWHERE, *ATTRIBUTES[domain]} & set(Event.model_fields)
