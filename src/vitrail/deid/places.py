"""Where people live: the first three digits of a ZIP code, where enough people live there; else 000.

45 CFR 164.514(b)(2)(i)(B) allows them where more than 20,000 people live in all ZIP codes that begin with them.
:data:`SMALL` are those with fewer by the census of 2000 (17, in the guidance of the Department of Health and Human
Services on de-identification, 26 November 2012), or by that of 2020 (18, table P1 of its Demographic and Housing
Characteristics File, summed over ZIP code tabulation areas): either's word is enough.
:data:`COUNTED` are the first digits of all tabulation areas, the same 894 in the table of 2020 and in the Bureau's
gazetteer of 2010. Nobody is counted under any others: military mail, single offices, and the islands (008, 969), whose
census knows no tabulation areas; and whatever else stands in a column of ZIP codes is not known to be one.
"""

import duckdb
from sqlglot import exp

from vitrail.deid.columns import K
from vitrail.omop.sql import Node, run, sql, table

UNKNOWN = "000"

SAME = "says no more than another record of its table"

ALIKE = table("alike", "crosswalk")
"""For the id of each location (``source``) that of the one which stays for all that say the same (``stays``)."""

_STATES = (
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR"
    " PA RI SC SD TN TX UT VT VA WA WV WI WY AS GU MP PR VI"
)
STATES = frozenset(_STATES.split())
"""The Postal Service's codes of states, the District of Columbia and the territories."""

_SMALL_IN_2000 = "036 059 063 102 203 556 692 790 821 823 830 831 878 879 884 890 893"
_SMALL_IN_2020 = "036 059 102 202 203 204 205 369 556 692 753 772 821 823 878 879 884 893"
SMALL = frozenset((*_SMALL_IN_2000.split(), *_SMALL_IN_2020.split()))

_COUNTED = (
    "006 007 009 010-054 056-089 100-191 193-212 214-268 270-310 312-331 333-339 341 342 344 346 347 349-352 354-374"
    " 376-398 400-418 420-427 430-458 460-508 510-516 520-528 530-532 534 535 537-551 553 554 556-567 570-577 580-588"
    " 590-620 622-631 633-641 644-648 650-658 660-662 664-681 683-693 700 701 703-708 710-714 716-731 734-741 743-770"
    " 772-816 820-838 840 841 843-847 850-853 855-857 859 860 863-865 870 871 873-875 877-884 890 891 893-895 897 898"
    " 900 902-908 910-928 930-937 939-941 943-961 967 968 970-986 988-999"
)


def _numbers(text: str) -> frozenset[str]:
    ranges = (each.partition("-") for each in text.split())
    return frozenset(f"{n:03d}" for low, _, high in ranges for n in range(int(low), int(high or low) + 1))


COUNTED = _numbers(_COUNTED)


def three_digits(zip_code: Node) -> Node:
    """The first three digits of a ZIP code of five or nine digits; ``000`` where they may not stay."""
    return sql(
        "CASE WHEN regexp_full_match(trim(:z), '[0-9]{5}(-?[0-9]{4})?') AND list_contains(:allowed, left(trim(:z), 3))"
        " THEN left(trim(:z), 3) WHEN :z IS NOT NULL THEN :unknown END",
        z=zip_code,
        allowed=sorted(COUNTED - SMALL),
        unknown=UNKNOWN,
    )


def known_state(state: Node) -> Node:
    """A state's code, null where it is none."""
    code = sql("upper(trim(:s))", s=state)
    return sql("CASE WHEN list_contains(:states, :code) THEN :code END", code=code, states=sorted(STATES))


def leave_out_small_places(db: duckdb.DuckDBPyConnection, rows: Node) -> int:
    """Where fewer than k people of the site live under three digits or in a state, say neither; how many were changed.

    ``rows`` are the locations, with the source's ``location_id``.
    """
    return sum(_leave_out(db, rows, sql(of), rest) for of, rest in (("zip", sql("'000'")), ("state", exp.null())))


def leave_one_of_each(db: duckdb.DuckDBPyConnection, rows: Node, ruled: Node) -> None:
    """Leave one row of the locations that say the same once they are ``ruled``, and make :data:`ALIKE` of them.

    A location of a source is an address. Whoever has the same one lives under the same roof, whatever else of the
    address is left out: a family is known by its years of birth.
    """
    same = (
        "CREATE TABLE :a AS SELECT location_id AS source, min(location_id) OVER (PARTITION BY zip, state,"
        " country_concept_id) AS stays FROM :r"
    )
    run(db, same, a=ALIKE, r=ruled)
    run(db, "DELETE FROM :t WHERE location_id NOT IN (SELECT stays FROM :a)", t=rows, a=ALIKE)


def count_alike(db: duckdb.DuckDBPyConnection) -> int:
    """How many locations say the same as another, which stays for them."""
    return int(run(db, "SELECT count(*) FROM :a WHERE source <> stays", a=ALIKE)[0][0])


def _leave_out(db: duckdb.DuckDBPyConnection, rows: Node, of: Node, rest: Node) -> int:
    query = (
        "UPDATE :t SET :c = :rest WHERE :c IS NOT NULL AND :c IS DISTINCT FROM :rest AND :c NOT IN (SELECT :c"
        " FROM :t AS l JOIN extract.person AS p ON p.location_id = l.location_id"
        " JOIN crosswalk.person AS x ON x.source = p.person_id WHERE :c IS NOT NULL GROUP BY :c HAVING count(*) >= :k)"
    )
    return int(run(db, query, t=rows, c=of, rest=rest, k=K)[0][0])
