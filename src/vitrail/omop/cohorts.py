"""Cohorts in SQL: each step of ``vitrail.study.cohort`` for all cohorts of a batch at once, the cohort as a column.

========================  ===========================================================================================
``entry``                 cohort, event, domain: the entry events
``cohort``                cohort and what it says of its steps; see :func:`cohort_sheet`
``root``                  item, node, also, low, high: what a node says of a cohort: ``also``, or bits of its rules
``rule``                  cohort, place, low, high: the bits of each rule, fifty in ``low``, the others in ``high``
``censor``                cohort, event: the events that censor
``exposure``              exposure, event, gap, offset, days_supply: eras of exposure
========================  ===========================================================================================

Of one person's events, the first is the one that starts first; of those of one day, the one with the smallest id,
domain and end. The last is the one that starts last; of those of one day, again the one with the smallest id.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from vitrail.omop.events import col, year_of
from vitrail.omop.limits import day
from vitrail.omop.plan import UNBOUNDED, CohortNode, Plan
from vitrail.omop.sheets import Kind, Sheet
from vitrail.omop.sql import select, sql
from vitrail.study.attributes import DOMAINS

WORD = 50
"""The rules whose bits stand in one number."""

_TIE = ("id", "domain", "finish", "concept")
_SIGN = {"every": 0, "first": 1, "last": -1, "first_of_each_year": 1, None: 0}
_EVENT = ("cohort", "person", "start", "finish", "domain", "id", "concept", "visit", "opens", "closes")
_COHORT: dict[str, Kind] = {
    **dict.fromkeys(
        (
            "cohort", "before", "after", "keep", "qualified", "chosen", "also", "low", "high", "all_low", "all_high",
            "after_start", "after_end", "exposure", "pad", "clip_start", "clip_end",
        ),
        "int",
    ),
    "several": "flag",
    "yearly": "flag",
    "within": "flag",
}  # fmt: skip


@dataclass(frozen=True)
class Steps:
    """Which steps some cohort of a stage has."""

    several: bool
    keep: bool
    yearly: bool
    also: bool
    qualified: bool
    rules: bool
    chosen: bool
    exposed: bool
    censored: bool


@dataclass(frozen=True)
class Building:
    """The sheets from which the cohorts of one stage are built."""

    steps: Steps
    entry: Sheet
    cohort: Sheet
    root: Sheet
    rule: Sheet
    censor: Sheet
    exposure: Sheet


def building(plan: Plan, cohorts: Sequence[CohortNode]) -> Building:
    """What the cohorts of one stage are built from."""
    said = [each.cohort for each in cohorts]
    steps = Steps(
        several=any(len(each.entry) > 1 for each in said),
        keep=any(each.keep != "every" for each in said),
        yearly=any(each.keep == "first_of_each_year" for each in said),
        also=any(each.also is not None for each in said),
        qualified=any(each.qualified is not None for each in said),
        rules=any(each.rules for each in said),
        chosen=any(each.limit != "every" for each in said),
        exposed=any(each.exit.exposed_to is not None for each in said),
        censored=any(each.censor for each in said),
    )
    return Building(
        steps,
        Sheet(_ints("cohort", "event", "domain"), list(_entries(cohorts))),
        Sheet(_COHORT, [_cohort_row(plan, each) for each in cohorts]),
        Sheet(_ints("item", "node", "also", "low", "high"), list(_roots(plan, cohorts))),
        Sheet(_ints("cohort", "place", "low", "high"), list(_rules(cohorts))),
        Sheet(_ints("cohort", "event"), [{"cohort": c.number, "event": event} for c in cohorts for event in c.censor]),
        _exposures(plan, {each.exposed for each in cohorts} - {None}),
    )


def _ints(*columns: str) -> dict[str, Kind]:
    return dict.fromkeys(columns, "int")


def _entries(cohorts: Iterable[CohortNode]) -> Iterable[dict[str, object]]:
    for each in cohorts:
        for event, said in zip(each.entry, each.cohort.entry, strict=True):
            yield {"cohort": each.number, "event": event, "domain": DOMAINS.index(said.domain)}


def _cohort_row(plan: Plan, node: CohortNode) -> dict[str, object]:
    said, clip = node.cohort, node.cohort.clip
    usual = [_bits(place) for place, rule in enumerate(node.rules) if plan.node[rule].usual]
    every = [_bits(place) for place in range(len(node.rules))]
    return {
        "cohort": node.number, "before": said.observed.before, "after": said.observed.after,
        "several": len(said.entry) > 1,
        "keep": _SIGN[said.keep], "yearly": said.keep == "first_of_each_year", "qualified": _SIGN[said.qualified],
        "chosen": _SIGN[said.limit], "also": int(node.also is None or plan.node[node.also].usual),
        "low": sum(low for low, _ in usual), "high": sum(high for _, high in usual),
        "all_low": sum(low for low, _ in every), "all_high": sum(high for _, high in every),
        "after_start": said.exit.days_after_start, "after_end": said.exit.days_after_end, "exposure": node.exposed,
        "pad": said.era_pad or 0, "within": bool(said.eras_within_observation),
        "clip_start": None if clip is None or clip.start is None else day(clip.start),
        "clip_end": None if clip is None or clip.end is None else day(clip.end),
    }  # fmt: skip


def _bits(place: int) -> tuple[int, int]:
    return (2**place, 0) if place < WORD else (0, 2 ** (place - WORD))


def _roots(plan: Plan, cohorts: Iterable[CohortNode]) -> Iterable[dict[str, object]]:
    """What it changes where a node is not as usual: bits are set, or taken out where they are usually set."""
    for each in cohorts:
        if each.also is not None:
            sign = -1 if plan.node[each.also].usual else 1
            yield {"item": each.number, "node": each.also, "also": sign, "low": 0, "high": 0}
        for place, rule in enumerate(each.rules):
            sign = -1 if plan.node[rule].usual else 1
            low, high = _bits(place)
            yield {"item": each.number, "node": rule, "also": 0, "low": sign * low, "high": sign * high}


def _rules(cohorts: Iterable[CohortNode]) -> Iterable[dict[str, object]]:
    for each in cohorts:
        for place in range(len(each.rules)):
            low, high = _bits(place)
            yield {"cohort": each.number, "place": place, "low": low, "high": high}


def _exposures(plan: Plan, numbers: Iterable[object]) -> Sheet:
    rows = [
        {
            "exposure": number, "event": event, "gap": each.gap, "offset_days": each.offset,
            "days_supply": each.days_supply,
        }
        for each, number in plan.exposures.items()
        for event in each.events
        if number in set(numbers)
    ]  # fmt: skip
    return Sheet(_ints("exposure", "event", "gap", "offset_days", "days_supply"), rows)


# Entry events


def entered() -> exp.Query:
    """``entered``: every entry event with the observation period that it belongs to, and whether that suffices."""
    return select("""
        SELECT e.cohort, o.person, o.start, o.finish, e.domain, o.id, o.concept, o.visit, p.opens, p.closes,
          COALESCE(o.start - c.before >= p.opens AND o.start + c.after <= p.closes, FALSE) AS observed, c.several
        FROM occurrence AS o JOIN entry AS e ON e.event = o.event JOIN cohort AS c ON c.cohort = e.cohort
        LEFT JOIN period AS p ON p.person = o.person AND o.start >= p.since AND o.start <= p.closes""")


def reached() -> exp.Query:
    """The persons of each cohort's entry events, and of those with enough observation."""
    return select("""
        SELECT cohort, COUNT(DISTINCT person) AS entered,
          COUNT(DISTINCT CASE WHEN observed THEN person END) AS observed
        FROM entered GROUP BY cohort""")


def kept(steps: Steps) -> exp.Query:
    """``around``: the observed entry events that ``keep`` keeps, numbered; the item is the cohort.

    Only where a cohort has several entry events may one record be found twice.
    """
    columns = exp.select(*map(col, _EVENT)).from_("entered").where(col("observed"))
    observed: exp.Query = columns.where(sql("NOT several"))
    if steps.several:
        observed = exp.union(observed, columns.where(col("several")).distinct(), distinct=False, copy=False)
    found = _extreme(observed, "keep", yearly=steps.yearly) if steps.keep else observed
    query = select("SELECT ROW_NUMBER() OVER () AS place, cohort AS item, * FROM chosen")
    return query.with_("chosen", as_=found, copy=False)


def _extreme(found: exp.Query, sign: str, *, yearly: bool = False) -> exp.Query:
    """Each person's first row where the cohort's ``sign`` is 1, the last where it is -1, all where it is 0."""
    names = [each.alias_or_name for each in found.selects]
    every = (
        exp.select(*(col(name, "f") for name in names))
        .from_(found.subquery("f"))
        .join("cohort AS c", on=exp.and_(sql("c.cohort = f.cohort"), col(sign, "c").eq(0)))
    )
    partition: list[exp.Expr] = [col("cohort", "f"), col("person", "f")]
    if yearly:
        partition.append(exp.case().when(col("yearly", "c"), year_of(col("start", "f"))))
    order = [col(sign, "c") * col("start", "f"), *(col(name, "f") for name in _TIE)]
    number = exp.Window(this=exp.RowNumber(), partition_by=partition, order=exp.Order(expressions=order))
    ranked = (
        exp.select(*(col(name, "f") for name in names), number.as_("n"))
        .from_(found.subquery("f", copy=False))
        .join("cohort AS c", on=exp.and_(sql("c.cohort = f.cohort"), exp.NEQ(this=col(sign, "c"), expression=_zero())))
    )
    best = exp.select(*map(col, names)).from_(ranked.subquery("ranked", copy=False)).where(sql("n = 1"))
    return exp.union(every, best, distinct=False, copy=False)


def _zero() -> exp.Expr:
    return exp.Literal.number(0)


# Rules


def judged(steps: Steps) -> exp.Query:
    """``judged``: the events for which ``also`` holds, as ``qualified`` keeps them; a bit for each rule that holds."""
    query = exp.select(*(col(name, "a") for name in ("place", *_EVENT)))
    if not (steps.also or steps.rules):
        zero = exp.cast(exp.Literal.number(0), "BIGINT")
        return query.select(zero.as_("low"), zero.copy().as_("high")).from_(exp.to_table("around", alias="a"))
    sums = select("""
        SELECT f.place, SUM(r.also) AS also, SUM(r.low) AS low, SUM(r.high) AS high
        FROM flip AS f JOIN root AS r ON r.item = f.item AND r.node = f.node GROUP BY f.place""")
    query = (
        query.select(*(_changed(name) for name in ("low", "high")))
        .from_(exp.to_table("around", alias="a"))
        .join(exp.to_table("cohort", alias="c"), on=sql("c.cohort = a.item"))
        .join(sums.subquery("s", copy=False), on=sql("s.place = a.place"), join_type="LEFT", copy=False)
    )
    if steps.also:
        query = query.where(sql("c.also + COALESCE(s.also, 0) = 1"))
    return _extreme(query, "qualified") if steps.qualified else query


def _changed(word: str) -> exp.Expr:
    changed = exp.Coalesce(this=col(word, "s"), expressions=[exp.Literal.number(0)])
    return exp.cast(exp.paren(col(word, "c") + changed), "BIGINT").as_(word)


def persons_judged() -> exp.Query:
    """The persons of each cohort that are left after ``also``."""
    return select("SELECT cohort, COUNT(DISTINCT person) AS persons FROM judged GROUP BY cohort")


def masks() -> exp.Query:
    """``mask``: of each mask that events have, how many rules hold, the first that does, and the first that fails."""
    return select("""
        SELECT cohort, low, high, SUM(holds) AS held, MIN(CASE WHEN holds = 1 THEN place END) AS earliest,
          MIN(CASE WHEN holds = 0 THEN place END) AS failed
        FROM (
          SELECT m.cohort, m.low, m.high, r.place,
            CASE WHEN m.low & r.low <> 0 OR m.high & r.high <> 0 THEN 1 ELSE 0 END AS holds
          FROM (SELECT DISTINCT cohort, low, high FROM judged) AS m LEFT JOIN rule AS r ON r.cohort = m.cohort) AS bits
        GROUP BY cohort, low, high""")


def events_by_mask() -> exp.Query:
    """The number of events of each cohort and mask."""
    return select("SELECT cohort, low, high, COUNT(*) AS n FROM judged GROUP BY cohort, low, high")


def persons_by_mask(steps: Steps) -> exp.Query:
    """The number of persons of each cohort by the mask of their best event, and by the rule that ends their way."""
    plain = select("""SELECT cohort, 0 AS low, 0 AS high, 1000 AS failed, COUNT(DISTINCT person) AS n
        FROM judged WHERE cohort NOT IN (SELECT cohort FROM rule) GROUP BY cohort""")
    if not steps.rules:
        return select("""SELECT cohort, low, high, 0 AS failed, COUNT(DISTINCT person) AS n
            FROM judged GROUP BY cohort, low, high""")
    ruled = select("""
        SELECT cohort, low, high, failed, COUNT(*) AS n FROM (
          SELECT j.cohort, j.person, j.low, j.high,
            MAX(COALESCE(m.failed, 1000)) OVER (PARTITION BY j.cohort, j.person) AS failed,
            ROW_NUMBER() OVER (PARTITION BY j.cohort, j.person
              ORDER BY m.held DESC, m.earliest, j.start, j.id, j.domain, j.finish, j.concept) AS n
          FROM judged AS j
          JOIN mask AS m ON m.cohort = j.cohort AND m.low = j.low AND m.high = j.high
          WHERE j.cohort IN (SELECT cohort FROM rule)) AS best
        WHERE n = 1 GROUP BY cohort, low, high, failed""")
    return exp.union(ruled, plain, distinct=False, copy=False)


# Rows


def included(steps: Steps) -> exp.Query:
    """``included``: the events for which every rule holds and that ``limit`` keeps."""
    query = exp.select(*(col(name, "j") for name in ("place", *_EVENT))).from_(exp.to_table("judged", alias="j"))
    if steps.rules:
        every = sql("c.cohort = j.cohort AND c.all_low = j.low AND c.all_high = j.high")
        query = query.join(exp.to_table("cohort", alias="c"), on=every)
    return _extreme(query, "chosen") if steps.chosen else query


def exposed() -> exp.Query:
    """``exposed``: the eras (exposure, person, start, finish) of the persons in cohorts that end with one."""
    return select("""
        WITH taken AS (
          SELECT x.exposure, o.person, o.start, x.gap,
            CASE WHEN x.days_supply IS NULL THEN o.finish ELSE o.start + x.days_supply END + x.offset_days AS finish
          FROM exposure AS x JOIN occurrence AS o ON o.event = x.event
          WHERE o.person IN (SELECT person FROM included)),
        fresh AS (
          SELECT exposure, person, start, finish,
            CASE WHEN MAX(finish + gap) OVER (PARTITION BY exposure, person ORDER BY start, finish
              ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) >= start THEN 0 ELSE 1 END AS fresh
          FROM taken),
        numbered AS (
          SELECT exposure, person, start, finish, SUM(fresh) OVER (PARTITION BY exposure, person
            ORDER BY start, finish, fresh DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS era
          FROM fresh)
        SELECT exposure, person, MIN(start) AS start, MAX(finish) AS finish
        FROM numbered GROUP BY exposure, person, era""")


def ended(steps: Steps) -> exp.Query:
    """``ended``: the included events with the earliest of its ends that is not before its start."""
    ends = [_own_end()]
    query = select("""
        SELECT i.cohort, i.person, i.start, i.finish AS until, i.domain, i.id, i.concept, i.closes, c.pad,
          CASE WHEN c.within THEN i.opens END AS bound
        FROM included AS i JOIN cohort AS c ON c.cohort = i.cohort""")
    for some, name, build in ((steps.exposed, "x", _exposure_ends), (steps.censored, "s", _censored)):
        if some:
            query = query.join(
                build().subquery(name), on=col("place", name).eq(col("place", "i")), join_type="LEFT", copy=False
            )
            ends.append(_or_never(col("finish", name)))
    # the least of one number alone is none that Spark knows
    finish = ends[0] if len(ends) == 1 else exp.Least(this=ends[0], expressions=ends[1:])
    query = query.select(finish.as_("finish"))
    return select("SELECT * FROM ends WHERE finish < :never", never=UNBOUNDED).with_("ends", as_=query, copy=False)


def _own_end() -> exp.Expr:
    """The end that ``exit`` gives in days, else that of the observation period; never, where it is before the start."""
    own = sql(
        """LEAST(i.closes, COALESCE(i.start + c.after_start, i.closes), COALESCE(i.finish + c.after_end, i.closes))"""
    )
    return exp.case().when(own >= col("start", "i"), own.copy()).else_(exp.Literal.number(UNBOUNDED))


def _or_never(day: exp.Expr) -> exp.Expr:
    return exp.Coalesce(this=day, expressions=[exp.Literal.number(UNBOUNDED)])


def _exposure_ends() -> exp.Query:
    return select("""
        SELECT i.place, MIN(x.finish) AS finish FROM included AS i JOIN cohort AS c ON c.cohort = i.cohort
        JOIN exposed AS x ON x.exposure = c.exposure AND x.person = i.person
          AND i.start >= x.start AND i.start <= x.finish
        GROUP BY i.place""")


def _censored() -> exp.Query:
    return select("""
        SELECT i.place, MIN(o.start) AS finish FROM included AS i JOIN censor AS c ON c.cohort = i.cohort
        JOIN occurrence AS o ON o.event = c.event AND o.person = i.person AND o.start >= i.start AND o.start <= i.closes
        GROUP BY i.place""")


def eras() -> exp.Query:
    """``era``: each cohort's rows: those of one person that overlap, or lie at most ``pad`` days apart, made one.

    The first event of a row says where it comes from and until when it is observed. An event begins a row where all
    before it ended too early; what these reached is then the end of the row before. So one sort of the events, and
    one of the rows, do.
    """
    return select("""
        WITH reached AS (
          SELECT cohort, person, start, closes, domain, id, concept, bound, pad,
            MAX(finish) OVER (PARTITION BY cohort, person, bound ORDER BY start, id, domain, until, concept, finish
              ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before,
            MAX(finish) OVER (PARTITION BY cohort, person, bound ORDER BY start, id, domain, until, concept, finish
              ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS last
          FROM ended)
        SELECT cohort, person, start,
          LEAD(before, 1, last) OVER (PARTITION BY cohort, person, bound ORDER BY start) AS finish,
          closes AS observed_until, domain, id, concept
        FROM reached WHERE before IS NULL OR before + pad < start""")


def clipped() -> exp.Query:
    """``era``, cut to each cohort's ``clip``, in the order of cohorts, persons and starts."""
    return select("""
        SELECT * FROM (
          SELECT e.cohort, e.person, GREATEST(e.start, COALESCE(c.clip_start, e.start)) AS start,
            LEAST(e.finish, COALESCE(c.clip_end, e.finish)) AS finish,
            e.observed_until, e.domain, e.id, COALESCE(e.concept, 0) AS concept
          FROM era AS e JOIN cohort AS c ON c.cohort = e.cohort) AS clipped
        WHERE start <= finish ORDER BY cohort, person, start""")


def as_events() -> exp.Query:
    """The rows of ``cohort_row`` that a stage adds."""
    query = select("""SELECT cohort, person, start, finish,
        ROW_NUMBER() OVER (PARTITION BY cohort ORDER BY person, start) - 1 AS id FROM clipped_rows""")
    return query.with_("clipped_rows", as_=clipped(), copy=False)


def before_clip() -> exp.Query:
    """The persons of each cohort before some are cut away."""
    return select("SELECT cohort, COUNT(DISTINCT person) AS persons FROM era GROUP BY cohort")
