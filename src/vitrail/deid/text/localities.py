"""Rules for places: streets, rooms, postal codes, and institutions by their head word."""

import re
from collections.abc import Iterator

from vitrail.deid.text.lexicon import lexicon, listed, places
from vitrail.deid.text.page import Page
from vitrail.deid.text.spans import Span

HEADS = listed("""
    hospital hospitals clinic clinics infirmary hospice sanatorium polyclinic university college school academy
    institute pharmacy laboratory laboratories church synagogue mosque temple prison jail hotel shelter nursery
    kindergarten airport stadium museum library memorial
""")
"""One word that makes an institution of the capital words before it."""

PAIRS = frozenset(
    [
        "medical center",
        "medical centre",
        "med center",
        "med ctr",
        "medical ctr",
        "health center",
        "health centre",
        "health system",
        "health systems",
        "health care",
        "cancer center",
        "surgery center",
        "nursing home",
        "rehab center",
        "rehabilitation center",
        "care center",
        "senior center",
        "treatment center",
        "medical group",
        "medical associates",
        "heart center",
        "heart institute",
        "eye center",
        "eye institute",
        "imaging center",
        "dialysis center",
        "birth center",
        "trauma center",
        "community center",
        "assisted living",
        "retirement community",
        "urgent care",
        "high school",
        "elementary school",
        "middle school",
        "family practice",
        "family medicine",
        "physical therapy",
        "skilled nursing",
        "mental health",
        "behavioral health",
        "neurology center",
        "orthopedic center",
        "wellness center",
        "hospital center",
        "health clinic",
        "health services",
        "health department",
        "health network",
        "primary care",
        "correctional facility",
        "group home",
    ]
)
_TAILED = frozenset(pair.split()[1] for pair in PAIRS)
_LOOSE = frozenset(("health", "healthcare", "general", "gen", "medical", "med", "va", "vamc"))
"""Words that make an institution only of a place or of a name like that of a hospital before them."""

GENERIC = listed("""
    the our this that an a his her their my your outside local area nearby same any each every another some
    which emergency outpatient inpatient urgent primary community cardiology cardiac neurology oncology surgery
    surgical pain sleep dental eye wound coumadin anticoagulation warfarin care rehab rehabilitation pediatric
    pediatrics orthopedic orthopedics ortho gi gyn ob obgyn ent dermatology urology nephrology pulmonary
    diabetes diabetic endocrine endocrinology hepatology rheumatology psychiatry psychiatric mental behavioral
    health family internal medicine medical methadone walk in follow up teaching day night state public private
    tertiary referring acute long term skilled nursing home general regional fertility allergy vascular heart
    hypertension lipid asthma hiv tb std women womens mens men children s childrens pre post op preoperative
    admission to at from by hospital clinic free high middle elementary medical law business graduate memory
    stroke transplant hematology infectious disease chf copd ed er fracture hand spine foot voice breast
    genetics prenatal well baby headache movement veterans physical therapy imaging trauma cancer radiology
    laboratory lab main new old and of for with during after before
""")
_HALLOWED = listed("""
    mercy memorial general saint st mt mount sacred heart good samaritan grace regional county city community
    presbyterian methodist baptist lutheran catholic children childrens veterans va providence trinity sinai
    jewish adventist holy cross christ angels lady lourdes shepherd evangelical deaconess university central
    coastal valley north south east west northern southern eastern western lake river bay hills park
""")
_JOINING = frozenset(("of", "and", "&", "the", "for", "at", "in", "de", "la", "del"))
_LED = frozenset(("the", "our", "a", "an", "this", "from", "to", "dr", "of", "and", "&", "for", "at", "in"))
STREETS = listed("""
    street st avenue ave av road rd boulevard blvd drive dr lane ln court ct way place pl terrace ter circle cir
    parkway pkwy highway hwy trail trl square sq plaza plz route rte alley crescent loop pike turnpike row walk
    path heights ridge run crossing expressway broadway close grove gardens mews
""")
_PLAIN_STREETS = listed("""
    street avenue ave road boulevard blvd drive lane parkway highway terrace
""")
_PLACE_STARTS = listed(
    "new los las san santa el fort ft st saint mount mt north south east west cape port lake palo des"
)
_HALLOWED_THINGS = listed("wort valve medical device elbow dance vitus fire")
_ROOM = re.compile(
    r"(?:room|rm|bed|bay|suite|ste|apt|apartment|ward|icu\sbed|unit|building|bldg|floor|cubicle|pod|"
    r"station)\.?\s{0,2}(?:number|no\.?|#)?\s{0,2}#?(?P<value>[a-z]?-?\d{1,5}(?:-?[a-z\d]{1,2})?)(?![a-z0-9.%/]|\s?(?:mg|ml|units|x|days|l\b|hours))"
)
_ROOMS = listed("""
    room rm bed bay suite ste apt apartment ward building bldg cubicle
""")
_BOX = re.compile(r"p\.?\s?o\.?\s?box\s{0,2}#?\d{1,7}")
_ZIP = re.compile(
    r"(?:zip|postal)(?:\s?code)?\s{0,2}(?:is|of|:|#|=|-|"
    r"\s){0,4}\s{0,2}(?P<value>\d{3}(?:\d{2}(?:-\d{4})?)?|[a-z]\d[a-z]\s?\d[a-z]\d)(?![\d])"
)
_STATE_ZIP = re.compile(r"[\s,.]{1,4}(?P<zip>\d{5}(?:-\d{4})?)(?!\d)")
_ZIP_FOUR = re.compile(r"\d{5}-\d{4}(?![\d-])")
ABBREVIATIONS = listed("""
    AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK
    OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC PR ON QC BC AB
""")
_WHERE = frozenset(("in", "from", "at", "near"))
_DOUBLE = listed("""
    MD PA MS MA OR IN ME HI OK LA ID CO CT MI AL DE PR AB
""")
"""Abbreviations of states that are also degrees, diseases or words: they need a city of the lists or a postal code."""


_SOUGHT = HEADS | _TAILED | _LOOSE | STREETS | _ROOMS | frozenset(map(str.lower, ABBREVIATIONS))
_SOUGHT |= listed("unit floor p po zip postal st saint")


def find_localities(page: Page) -> Iterator[Span]:
    """Places of the page by their shape."""
    for index in page.where(_SOUGHT):
        word = page.words[index]
        if word in HEADS or word in _TAILED or word in _LOOSE:
            yield from _institution(page, index, word)
        if word in STREETS:
            yield from _street(page, index, word)
        if word in _ROOMS or word in ("unit", "floor"):
            yield from _room(page, index, word)
        if word in ("p", "po") and (match := _BOX.match(page.low, page.starts[index])):
            yield Span(match.start(), match.end(), "LOCATION", "rule")
        if word in ("zip", "postal") and (match := _ZIP.match(page.low, page.starts[index])):
            yield Span(match.start("value"), match.end("value"), "LOCATION", "rule")
        if page.raw[index] in ABBREVIATIONS:
            yield from _state(page, index)
        if word in ("st", "saint") and page.raw[index][0].isupper():
            yield from _saint(page, index)


def _institution(page: Page, index: int, word: str) -> Iterator[Span]:
    head = index
    if word in _TAILED and index > 1 and page.words[index - 2 : index] == ["med", "."]:
        head = index - 2
    elif word in _TAILED and index and f"{page.words[index - 1]} {word}" in PAIRS:
        head = index - 1
    elif word not in HEADS and word not in _LOOSE:
        return
    first = _back(page, head)
    specific = [page.words[at] for at in range(first, head) if page.raw[at].isalpha() and page.words[at] not in GENERIC]
    last = (
        _forward(page, index + 1)
        if specific or word in ("hospital", "university", "college", "institute", "center", "clinic")
        else index + 1
    )
    if word in _LOOSE and not _hallowed(page, first, head):
        return
    if not specific and last == index + 1 and not _proper(page, first, head, index):
        return
    yield Span(page.starts[first], page.end(last - 1), "LOCATION", "rule")


def _proper(page: Page, first: int, head: int, index: int) -> bool:
    """'City Hospital', 'County General', 'General Hospital': capital, generic, yet one place."""
    words = page.words[first:head]
    capital = page.raw[index][0].isupper() and not page.flat and head > first
    return (
        capital
        and words[-1]
        in (
            "general",
            "county",
            "city",
            "memorial",
            "community",
            "regional",
            "veterans",
            "university",
            "children",
            "s",
            "central",
            "state",
        )
        and page.words[index] in ("hospital", "general", "center", "memorial", "clinic")
        and not page.begins_sentence(first)
    )


def _hallowed(page: Page, first: int, head: int) -> bool:
    words = [page.words[at] for at in range(first, head) if page.raw[at].isalpha()]
    cities = _city_words()
    return (
        bool(words)
        and page.raw[head][0].isupper()
        and any(word in cities or word in _HALLOWED - {"general", "heart"} for word in words)
    )


def _city_words() -> frozenset[str]:
    global _cities
    if not _cities:
        named = (*places("city"), *places("state"), *places("facility"))
        _cities = frozenset(
            word for name in named for word in name.lower().replace("-", " ").split() if len(word) > 3 or name.isupper()
        )
    return _cities


_cities: frozenset[str] = frozenset()


def _back(page: Page, head: int) -> int:
    """The first of the capital words that end before ``head``."""
    first = at = head
    while at > 0 and head - at < 10:
        at -= 1
        raw, word = page.raw[at], page.words[at]
        gap = page.text[page.end(at) : page.starts[at + 1]]
        if "\n" in gap or len(gap) > 2:
            break
        if raw.isalpha() and _of_a_name(page, at):
            first = at
        elif (
            (word in _JOINING and word not in ("at", "in", "the", "for") and at and _of_a_name(page, at - 1))
            or raw in "-'&"
            or (raw == "." and page.words[at - 1] in ("st", "mt"))
            or (word == "s" and page.raw[at - 1] == "'")
        ):
            continue
        else:
            break
    while first < head and page.words[first] in _LED:
        first += 1
    return first


def _of_a_name(page: Page, at: int) -> bool:
    raw, word = page.raw[at], page.words[at]
    if not page.flat:
        return raw[0].isupper() and not (
            page.begins_sentence(at) and word in lexicon().common and word not in _HALLOWED
        )
    return (
        len(word) > 1
        and (word not in lexicon().common or word in _HALLOWED or word in _city_words())
        and word not in ("seen", "admitted", "transferred")
    )


def _forward(page: Page, index: int) -> int:
    """After the head word: 'of Michigan', 'Los Angeles', 'at Oak Park', ', Boston'."""
    last = at = index
    while at < len(page.words) and at - index < 7:
        word, raw = page.words[at], page.raw[at]
        gap = page.text[page.end(at - 1) : page.starts[at]]
        if "\n" in gap:
            break
        if raw.isalpha() and raw[0].isupper() and not page.flat and _continues(page, at, index):
            at += 1
            last = at
        elif (
            (
                ((word in ("of", "at", "in") and at == index) or (word == "the" and at > index))
                and at + 1 < len(page.words)
            )
            or (
                raw == ","
                and at + 1 < len(page.words)
                and page.words[at + 1] in _city_words()
                and page.raw[at + 1][0].isupper()
            )
            or (raw in "-'" and last == at and at > index)
        ):
            at += 1
        else:
            break
    return last


def _continues(page: Page, at: int, index: int) -> bool:
    word = page.words[at]
    joined = at > index and page.words[at - 1] in ("of", "at", "in", "the")
    if (
        word in _city_words()
        or word in _PLACE_STARTS
        or word in HEADS
        or word in ("center", "medical", "health", "system")
    ):
        return True
    return (
        (joined and page.words[at - 1] != "in" and word not in lexicon().common)
        or (at > index and page.strange(at) and (joined or page.strange(at - 1)))
        or (joined and word in _HALLOWED)
        or (at - 1 >= index and page.words[at - 1] in ("saint", "st", "."))
    )


def _saint(page: Page, index: int) -> Iterator[Span]:
    """'St. Mary's': a hospital, a church, a parish; no street, no plant and no valve."""
    first = index + 2 if page.raw[index + 1 : index + 2] == ["."] else index + 1
    if first >= len(page.words) or not page.raw[first].isalpha() or not page.raw[first][0].isupper():
        return
    last = first + 3 if page.words[first + 1 : first + 3] == ["'", "s"] else first + 1
    street = (
        index > 0
        and (page.raw[index - 1][0].isupper() or page.raw[index - 1][0].isdigit())
        and page.raw[index] != "Saint"
    )
    if not street and not _HALLOWED_THINGS & set(page.words[last : last + 1]):
        yield Span(page.starts[index], page.end(last - 1), "LOCATION", "rule")


def _street(page: Page, index: int, word: str) -> Iterator[Span]:
    """'12 Oak Street, Apt 3, Springfield, IL 62704': from the number before to the postal code behind."""
    first = _street_start(page, index)
    numbered = first < index and page.raw[first][0].isdigit()
    named = index - first >= (2 if numbered else 1) and any(page.raw[at].isalpha() for at in range(first, index))
    if not named or not (
        numbered
        or (
            word in _PLAIN_STREETS
            and page.raw[index][0].isupper()
            and not page.flat
            and not page.begins_sentence(first)
        )
    ):
        return
    if (
        numbered
        and page.flat
        and word not in _PLAIN_STREETS
        and (
            index - first > 3
            or (
                word in ("way", "place", "run", "walk", "row", "path", "close", "ct", "dr") and len(page.raw[first]) < 2
            )
        )
    ):
        return
    if (
        numbered
        and not page.raw[index][0].isupper()
        and not page.flat
        and word in ("way", "place", "run", "walk", "row", "path", "close", "dr", "court", "square", "ridge")
    ):
        return
    yield Span(page.starts[first], _address_end(page, index), "LOCATION", "rule")


def _street_start(page: Page, index: int) -> int:
    first = at = index
    while at > 0 and index - at < 6:
        at -= 1
        raw, word = page.raw[at], page.words[at]
        if "\n" in page.text[page.end(at) : page.starts[at + 1]]:
            break
        if raw[0].isdigit():
            if at + 1 < index and (raw.isdigit() or re.fullmatch(r"\d{1,5}[a-z]?", word)):
                return at
            if re.fullmatch(r"\d{1,3}(?:st|nd|rd|th)", word):
                first = at
                continue
            break
        if (
            (raw[0].isupper() and not page.flat)
            or (page.flat and raw.isalpha() and word not in ("and", "the", "a", "with", "on", "to", "mg", "x"))
            or (raw.isalpha() and first < index and word in ("n", "s", "e", "w"))
        ):
            first = at
        elif raw in ".'-":
            continue
        elif raw.isalpha() and index - at <= 2 and at and page.raw[at - 1].isdigit() and word not in lexicon().common:
            first = at
        else:
            break
    return first


_REST = re.compile(
    r"\.?(?:[\s,]{1,3}(?:apt|apartment|suite|ste|unit|floor|fl|bldg|"
    r"#)\.?\s{0,2}#?[a-z0-9-]{1,6}(?![a-z0-9]))?(?:,?\s{1,2}(?:nw|ne|sw|se|n|s|e|w)(?![a-z.]))?"
)


def _address_end(page: Page, index: int) -> int:
    """Where an address ends: after the apartment, the city, the state and the postal code that follow its street."""
    match = _REST.match(page.low, page.end(index))
    end = match.end() if match and match.end() > page.end(index) + 1 else page.end(index)
    tail = _CITY_STATE.match(page.text, match.end() if match else end)
    if tail and (
        tail["state"] or tail["zip"] or _begins_city(page.low[tail.start("city") : tail.end("city")].split()[0])
    ):
        return tail.end()
    return end


def _begins_city(word: str) -> bool:
    lists = lexicon()
    return word in _city_words() or word in _PLACE_STARTS or word not in lists.common | lists.terms | lists.names


_CITY_STATE = re.compile(
    r",?\s{1,3}(?P<city>[A-Z][A-Za-z.'-]{1,20}(?:\s[A-Z][A-Za-z.'-]{1,20}){0,2})(?:,?\s{1,3}(?P<state>[A-Z]{2}|[A-Z][a-z]{3,12})(?![A-Za-z]))?(?:,?\s{1,3}(?P<zip>\d{5}(?:-\d{4})?)(?!\d))?"
)


def _room(page: Page, index: int, word: str) -> Iterator[Span]:
    match = _ROOM.match(page.low, page.starts[index])
    if match and ((word in _ROOMS and word != "bay") or page.raw[index][0].isupper() or match["value"][-1].isalpha()):
        yield Span(match.start(), match.end(), "LOCATION", "rule")


def _state(page: Page, index: int) -> Iterator[Span]:
    """'Springfield, IL', 'Springfield, IL 62704', 'IL 62704'."""
    if page.flat and page.low == page.text:
        return
    raw = page.raw[index]
    code = _STATE_ZIP.match(page.text, page.end(index))
    end = code.end("zip") if code else page.end(index)
    comma = index > 1 and page.raw[index - 1] == ","
    first = _city_start(page, index - 2 if comma else index - 1)
    known = first < index and any(page.words[at] in _city_words() for at in range(first, index))
    within = index > 0 and page.words[index - 1] in ("in", "from") and raw not in _DOUBLE
    if (
        code
        or within
        or (known and (comma or raw not in _DOUBLE))
        or (comma and first and first < index - 1 and page.words[first - 1] in _WHERE and page.strange(first))
        or (comma and raw not in _DOUBLE and first < index - 1)
    ):
        yield Span(page.starts[min(first, index)], end, "LOCATION", "rule")


def _city_start(page: Page, last: int) -> int:
    """The first of up to three capital words that end at ``last``; one more where there is none."""
    first = last + 1
    while first > 0 and last - first < 3:
        at = first - 1
        if (
            page.raw[at].isalpha()
            and page.raw[at][0].isupper()
            and page.namelike(at) | (page.words[at] in _city_words())
        ) or (page.raw[at] == "." and at and page.words[at - 1] in ("st", "ft", "mt")):
            first = at
        else:
            break
    return first
