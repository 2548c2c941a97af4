"""Random studies over everything that a cohort may say, in which much coincides: few persons, concepts and days.

Everything is drawn from one ``random.Random``, so that a seed is a case; :mod:`tests.generative.shrink` makes a failing
case small. What an event may ask is taken from the words themselves: a new attribute is drawn without a change here, a
new kind of limit fails.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, get_args

from tests.generative.records import CODES, CONCEPTS, DAYS, NUMBERS, Json, draw_tables
from vitrail.study.attributes import ANYWHERE, ATTRIBUTES, COUNTED, DOMAINS, Domain
from vitrail.study.cohort import DayLimits, Event, Limits, Moved, Span, Wording
from vitrail.study.concepts import Coded
from vitrail.study.covariates import Covariate
from vitrail.study.study import Study

SETS = ("A", "B", "C", "D")
COHORTS = tuple(f"cohort {place}" for place in range(60))
CHAIN = 3
"""Of so many cohorts in a row, each may refer to those before it."""
VALUED: tuple[Domain, ...] = ("measurement", "observation")
RECORDS: tuple[Domain, ...] = tuple(domain for domain in DOMAINS if domain != "cohort")
DEPTH = 3
"""How deep rules may stand within rules."""

Draw = Callable[[Random], Any]


def one_or_two(fields: dict[str, Draw]) -> Draw:
    """One or two of the fields."""
    return lambda r: {name: fields[name](r) for name in r.sample(sorted(fields), r.randint(1, 2))}


def some(optional: dict[str, Draw], chance: float = 0.5) -> Draw:
    """Each of the fields, or not."""
    return lambda r: {name: draw(r) for name, draw in optional.items() if r.random() < chance}


def one_of(values: Sequence[Any]) -> Draw:
    return lambda r: r.choice(values)


def ordered(values: Sequence[Any]) -> Draw:
    """Two values, the smaller first; rarely the other way round."""
    return lambda r: sorted(r.choices(values, k=2), reverse=r.random() < 0.1)


def several(values: Sequence[Any], most: int) -> Draw:
    return lambda r: r.choices(values, k=r.randint(1, most))


# Windows

BOUNDS = (0, None, -61, -1, None, 1, 61, -366, 366, 1_000_000)
SIDES = ("start", "end")


def window(r: Random) -> list[int | None]:
    """A window of days whose ends are in order."""
    low, high = r.choice(BOUNDS), r.choice(BOUNDS)
    return [high, low] if low is not None and high is not None and low > high else [low, high]


def around(r: Random) -> Json:
    days = window(r) if r.random() < 0.9 else r.choices(BOUNDS, k=2)
    return {"days": days, "index": r.choice(SIDES), "event": r.choice(SIDES)}


# Limits: one for each kind, and for each attribute the values that matter

AGES, LENGTHS = (0, 1, 60, 61, 62), (0, 1, 2, 5, 60)
VALUES = {"age": AGES, "age_at_end": AGES, "length": LENGTHS}
"""The numbers that limits of an attribute name; known ``NUMBERS`` where it is not among these."""
KNOWN = tuple(number for number in NUMBERS if number is not None and number == number)
NAMED_DAYS = tuple(day.isoformat() for day in DAYS)


def limits(values: Sequence[float]) -> Draw:
    one = one_of(values)
    return one_or_two({"at_least": one, "above": one, "at_most": one, "below": one, "outside": ordered(values)})


_day = one_of(NAMED_DAYS)
day_limits = one_or_two({"since": _day, "after": _day, "until": _day, "before": _day, "outside": ordered(NAMED_DAYS)})
_set, _codes = one_of(SETS), several(CODES, 3)
_named = one_or_two({"any_of": _codes, "none_of": _codes, "within": _set, "outside": _set})


def coded(r: Random) -> Json:
    return {"recorded": r.random() < 0.5} if r.random() < 0.1 else _named(r)


wording = one_or_two(dict.fromkeys(Wording.model_fields, one_of(("", "a", "b", "B", "%", "_"))))
span = one_or_two({"start": one_of(NAMED_DAYS[:7]), "end": one_of(NAMED_DAYS[4:])})
_shift = one_of((0, 0, 1, 1, -1, -1, 5, -5, 366, -1_000_000, 1_000_000))
moved = some({"start_from": one_of(SIDES), "start_days": _shift, "end_from": one_of(SIDES), "end_days": _shift})

OF_KIND: dict[object, Draw] = {
    DayLimits: day_limits, Coded: coded, Wording: wording, Span: span, Moved: moved, str: _set,
}  # fmt: skip


def asked_of(name: str) -> list[Draw]:
    """What an event may ask of the attribute of that name: one for each kind of limit that it takes."""
    kinds = [kind for kind in get_args(Event.model_fields[name].annotation) if kind is not type(None)]
    if kinds == [Limits]:
        return [limits(VALUES.get(name, KNOWN))]
    if get_args(kinds[0]) == (True,):
        return [one_of((True,))]
    return [OF_KIND[get_args(kind)[0] if get_args(kind) else kind] for kind in kinds]


ASKED = {
    domain: {name: asked_of(name) for name in (*ATTRIBUTES[domain], *ANYWHERE) if name != "where"} for domain in DOMAINS
}

# Events and rules


@dataclass(frozen=True)
class Words:
    """Draws the words of one case, which speaks of a few domains, and of cohorts defined before."""

    r: Random
    domains: Sequence[Domain]
    cohorts: Sequence[str] = ()
    decks: dict[object, list[str]] = field(default_factory=dict)
    """What is still to be drawn, so that everything comes before anything comes again."""

    def next_of(self, kind: str, domain: Domain, every: Sequence[str]) -> str:
        """The next of some names."""
        deck = self.decks.setdefault((kind, domain), [])
        if not deck:
            deck += self.r.sample(sorted(every), len(every))
        return deck.pop()

    def event(self, depth: int, most: int = 2) -> Json:
        """An event with up to ``most`` limits, and perhaps rules around it."""
        domain = self.r.choice((*self.domains, *self.domains, *(("cohort",) if self.cohorts else ())))
        event: Json = {domain: self.r.choice(self.cohorts if domain == "cohort" else (*SETS, "any", "any"))}
        for _ in range(self.r.randint(0, most)):
            name = self.next_of("asked", domain, tuple(ASKED[domain]))
            event[name] = self.r.choice(ASKED[domain][name])(self.r)
        if "period" in ASKED[domain] and self.r.random() < 0.2:  # few events fit it, so it is asked for often
            event["period"] = span(self.r)
        if depth > 0 and self.r.random() < 0.2:
            event["where"] = self.rules(depth - 1, 2)
        return event

    def rule(self, depth: int) -> Json:
        """One rule of any kind."""
        kind = self.r.random()
        if kind < 0.15:
            return {"person": person(self.r)}
        if kind < 0.4 and depth > 0:
            return {"group": self.group(depth - 1)}
        event = self.event(depth)
        domain = next(domain for domain in DOMAINS if domain in event)
        distinct = {"distinct": self.next_of("counted", domain, COUNTED[domain])} if self.r.random() < 0.4 else {}
        return {"of": event, **around_index(self.r), **self.r.choice(COUNTS), **distinct}

    def rules(self, depth: int, most: int) -> list[Json]:
        """Up to ``most`` rules."""
        return [{"name": f"rule {place}", **self.rule(depth)} for place in range(self.r.randint(0, most))]

    def group(self, depth: int) -> Json:
        """A group of up to three rules."""
        need = self.r.choice(("all", "any", "at_least", "at_most"))
        count = {"count": self.r.randint(0, 2)} if need.startswith("at_") else {}
        return {"need": need, "rules": self.rules(depth, 3), **count}

    def cohort(self) -> Json:
        """A cohort that may refer to those defined before."""
        r = self.r
        also: Json = {"also": self.group(DEPTH - 1)} if r.random() < 0.3 else {}
        censor = [self.event(1) for _ in range(r.randint(1, 2))]
        return {
            "entry": [self.event(DEPTH, most=1) for _ in range(r.randint(2, 4))],
            "observed": some({"before": spare, "after": spare}, 0.3)(r),
            "keep": r.choice(("every", "every", "first", "last", "first_of_each_year")),
            **also, **(some({"qualified": one_of(("first", "last"))})(r) if also else {}),
            "rules": self.rules(DEPTH - 1, 2),
            "limit": r.choice(("every", "every", "first", "last")),
            "exit": r.choice(EXITS)(r),
            **some({"censor": lambda _: censor, "era_pad": _wide, "eras_within_observation": one_of((True,))}, 0.3)(r),
            **some({"clip": span}, 0.25)(r),
        }  # fmt: skip


COUNTS = ({}, {"at_least": 1}, {"at_least": 2}, {"at_most": 0}, {"at_most": 2}, {"at_least": 0, "at_most": 1},
          {"at_least": 2, "at_most": 3})  # fmt: skip
person = one_or_two({
    "age": limits(AGES), "gender": coded, "race": coded, "ethnicity": coded, "starts": day_limits, "ends": day_limits,
})  # fmt: skip


def around_index(r: Random) -> Json:
    """Where an event must lie around an index."""
    windows = {"windows": [around(r) for _ in range(r.randint(1, 2))]}
    days = {"days": window(r)}
    flag = r.choice(({}, {}, {}, {"same_visit": True}, {"unobserved": True}))
    return {**r.choice((days, windows, windows, days | windows)), **flag}


# Cohorts

spare = one_of((0, 1, 3, 60))
_wide = one_of((0, 1, 3, 60, 1_000_000))
exposure = some({"gap": _wide, "offset": _wide, "days_supply": one_of((0, 1, 30))})
EXITS: tuple[Draw, ...] = (
    lambda _: {},
    lambda r: {"days_after_start": r.choice((0, 1, 2, 5, 400, -1, 1_000_000))},
    lambda r: {"days_after_end": r.choice((0, 1, 5, 400, -2, -1_000_000))},
    lambda r: {"exposed_to": {"drug": r.choice(SETS), **exposure(r)}},
)


def concept_set(r: Random) -> Json:
    """One to three concepts, some with what belongs to them, some left out."""
    item = some(
        {"descendants": one_of((True, False)), "mapped": one_of((True,)), "exclude": one_of((True, False))}, 0.4
    )
    return {"concepts": [{"concept": r.choice(CONCEPTS), **item(r)} for _ in range(r.randint(1, 3))]}


def study(r: Random, domains: Sequence[Domain]) -> Study:
    """A study of many cohorts."""
    decks: dict[object, list[str]] = {}
    written = {
        "vitrail": "study/1", "title": "Generated", "purpose": "characterisation", "question": "Do engines agree?",
        "protocol": "Generated.", "authors": ["Vitrail"],
        "concept_sets": {name: concept_set(r) for name in SETS},
        "cohorts": {
            name: Words(r, domains, COHORTS[place - place % CHAIN : place], decks).cohort()
            for place, name in enumerate(COHORTS)
        },
        "analyses": {"who": {"kind": "characterise", "cohorts": [COHORTS[0]]}},
    }  # fmt: skip
    return Study.model_validate(written, strict=False)


def covariate(r: Random, name: str, domains: Sequence[Domain]) -> Covariate:
    """One covariate of any kind."""
    valued = [domain for domain in domains if domain in VALUED]
    written: Json = {"name": name}
    match r.choice(("has", "has", "last", "last", "age", "sex")):
        case "age":
            written["age"] = True
        case "sex":
            written["sex"] = r.choice(("female", "male"))
        case "has":
            written |= {"has": Words(r, domains, COHORTS[:CHAIN]).event(1), "days": window(r)}
        case _:
            written |= {"last": Words(r, valued).event(0, most=1), "days": window(r)}
    return Covariate.model_validate(written, strict=False)


@dataclass(frozen=True)
class Case:
    """A question and data to ask it of."""

    study: Study
    covariates: list[Covariate]
    tables: dict[str, list[Json]]


def case(seed: int) -> Case:
    """The study, covariates and tables of a seed: about one domain with values, two in turn, and some others."""
    r = Random(seed)
    turn = (RECORDS[2 * seed % len(RECORDS)], RECORDS[(2 * seed + 1) % len(RECORDS)])
    domains = (r.choice(VALUED), *turn, *r.sample(RECORDS, 3))
    asked = study(r, domains)
    covariates = [covariate(r, f"covariate {place}", domains) for place in range(r.randint(4, 8))]
    spoken_of = [event for cohort in asked.cohorts.values() for event in cohort.events()]
    spoken_of += [each.event for each in covariates if each.event is not None]
    exposed = any(cohort.exit.exposed_to for cohort in asked.cohorts.values())
    return Case(asked, covariates, draw_tables(r, {*domains, *(("drug",) if exposed else ())}, spoken_of))
