"""Rules for names of people: after a title, a role, a relation or a label, before a degree, by a known given name."""

from collections.abc import Iterator
from functools import lru_cache

from vitrail.deid.text.lexicon import Lexicon, lexicon, listed
from vitrail.deid.text.page import Page
from vitrail.deid.text.spans import Span

TITLES = listed("""
    dr drs doctor mr mrs ms miss mister mx prof professor sir madam rev reverend father sister pastor rabbi imam
    sr sra srta señor señora dra
""")
_BY_CAPITAL = listed("""
    father sister sir madam miss professor nurse sr ms dra doctor officer judge sergeant captain aunt uncle
""")
ROLES = listed("""
    nurse officer detective sergeant captain judge attorney counselor deputy aunt uncle auntie grandma grandpa
    cousin coach principal
""")
RELATIONS = listed("""
    son daughter wife husband mother father brother sister partner friend spouse caregiver niece nephew uncle
    aunt grandson granddaughter grandmother grandfather fiance fiancee boyfriend girlfriend neighbor roommate
    cousin stepfather stepmother mom dad mum parent sibling twin sponsor guardian aide interpreter patient pt
    veteran lady gentleman man woman male female boy girl infant baby child resident
""")
NAMED = listed("""
    named name called nicknamed aka alias née nee dear hello hi sincerely regards yours thanks
""")
LABELS = listed("""
    by attending provider physician pcp surgeon assistant anesthesiologist author transcriptionist scribe
    reviewer radiologist pathologist cardiologist consultant clinician practitioner therapist counselor contact
    kin patient pt name cc attn from to re proxy guarantor subscriber resident fellow intern referring signature
    signed dictator operator nephrologist oncologist neurologist dictated client
""")
AGENTS = listed("""
    seen by signed referred dictated reviewed performed per with under like see saw told spoke discussed
    examined treated evaluated called paged notified consulted met accompanied assisted transcribed interpreted
    ordered prescribed attended supervised for to and
""")
DEGREES = listed("""
    md mds do rn np pa pac phd lpn lvn lcsw lmft crna dds dmd pharmd dpt otr ccc fnp aprn dnp cnm cns cnp facp
    facs facc frcp mbbs mph msw psyd rd rph od dpm mba bsn msn cma rrt
""")
_CONNECTORS = listed("""
    van von de del della der den di da la le el al bin ibn abu bint ter ten dos das st san y e mac mc o
""")
_STOPS = listed("""
    the a an and or of for with was is are has had he she his her they who on in at to from this that patient pt
    by history year old male female md no not i we you it if as but be been will may can
""")


def find_people(page: Page) -> Iterator[Span]:
    """Names of people by what stands about them."""
    for index in page.where(_sought()):
        word = page.words[index]
        if word in TITLES or word in ROLES:
            yield from _titled(page, index, word)
        if word in RELATIONS or word in NAMED or word in LABELS:
            yield from _introduced(page, index, word)
        if word in DEGREES:
            yield from _degreed(page, index)
        given = word in _given()
        if given and page.raw[index][0].isupper():
            yield from _given_name(page, index)
        elif len(word) == 1 and page.raw[index].isupper():
            yield from _initialled(page, index)
    if not page.flat:
        yield from _strangers(page)


def _strangers(page: Page) -> Iterator[Span]:
    """Two to four capital words side by side that no list has: hardly anything but a name is written so."""
    lists, done = lexicon(), -1
    for index in [at for at in page.capitals if page.raw[at].istitle()]:
        if index <= done:
            continue
        last = index
        while last < len(page.raw) and last - index < 4 and _strange(page, last, index, lists):
            last += 1
        done = last
        if last > index + 1 and not _heads(page, index, last):
            yield _span(page, index, last)
        elif last == index + 1 and _is_initial(page, last) and not page.begins_sentence(index):
            yield _span(page, index, last + 2)


def _is_initial(page: Page, at: int) -> bool:
    """A single capital with a full stop, as in 'Arkady P.'."""
    return page.raw[at + 1 : at + 2] == ["."] and len(page.raw[at]) == 1 and page.raw[at].isupper()


def _strange(page: Page, at: int, first: int, lists: Lexicon) -> bool:
    raw, word = page.raw[at], page.words[at]
    beside = at == first or page.text[page.end(at - 1) : page.starts[at]] == " "
    unlisted = word not in lists.common and word not in lists.terms and word not in ORGANISATIONS
    return beside and unlisted and len(raw) > 2 and raw.isalpha() and raw.istitle()


def _heads(page: Page, first: int, last: int) -> bool:
    """Whether capital words are a heading or an entry of a list: first of their line, with nothing said of them."""
    after = page.raw[last] if last < len(page.raw) else "."
    if after == ":" or (page.words[last : last + 1] and page.words[last] in ORGANISATIONS):
        return True
    return page.begins_sentence(first) and not (after.isalpha() and after.islower()) and after not in ",'("


@lru_cache(maxsize=1)
def _sought() -> frozenset[str]:
    return TITLES | ROLES | RELATIONS | NAMED | LABELS | DEGREES | _given() | frozenset("abcdefghijklmnopqrstuvwxyz")


@lru_cache(maxsize=1)
def _given() -> frozenset[str]:
    return frozenset(lexicon().given) | frozenset(lexicon().nicknames)


def name_end(page: Page, index: int, most: int = 5) -> int:
    """The index after the last word of a name that begins at a word; ``index`` itself where none begins there."""
    if index < len(page.raw) and not (page.flat or page.raw[index][0].isupper() or page.words[index] in _CONNECTORS):
        return index
    at, last = index, index
    while at < len(page.words) and at - index < most * 2:
        word, raw = page.words[at], page.raw[at]
        if _breaks(page, at, index):
            break
        initial = len(raw) == 1 and raw.isupper() and (word not in _STOPS or page.raw[at + 1 : at + 2] == ["."])
        spoken = word in _STOPS and not (at > index and raw.istitle() and word in lexicon().surname and not page.flat)
        if initial or (raw.isalpha() and not spoken and page.namelike(at)):
            at += 1
            last = at
        elif raw in ".'-" and at > index and _joins(page, at):
            at += 1
            last = at if raw == "." and len(page.raw[at - 2]) == 1 else last
        elif word in _CONNECTORS and at + 1 < len(page.words) and page.namelike(at + 1):
            at += 1
        else:
            break
    return last if any(len(page.raw[each]) > 1 for each in range(index, last)) or last > index else index


def _breaks(page: Page, at: int, index: int) -> bool:
    """Whether a name does not go on over what lies before a word."""
    if at == index:
        return False
    gap = page.text[page.end(at - 1) : page.starts[at]]
    if "\n" in gap:
        return gap.count("\n") > 1 or ":" in page.text[page.end(at) : page.end(at) + 2] or page.flat
    return len(gap) > 2 or "\t" in gap


def _joins(page: Page, at: int) -> bool:
    """Whether a full stop, hyphen or apostrophe stands within a name: after an initial, or without spaces about it."""
    before, after = page.starts[at], page.end(at)
    if page.raw[at] == ".":
        return len(page.raw[at - 1]) == 1 or page.words[at - 1] in ("st", "jr", "sr")
    if page.words[at + 1 : at + 2] == ["s"]:
        return False
    return page.text[before - 1 : before].isalpha() and page.text[after : after + 1].isalpha()


def _span(page: Page, first: int, last: int) -> Span:
    """Words from ``first`` to before ``last`` as one name; a possessive stays out."""
    return Span(page.starts[first], page.end(last - 1), "NAME", "rule")


def _skipped(page: Page, index: int, signs: str) -> int:
    while index < len(page.words) and page.raw[index] in signs:
        index += 1
    return index


def _titled(page: Page, index: int, word: str) -> Iterator[Span]:
    raw = page.raw[index]
    if word in _BY_CAPITAL and not raw[0].isupper() and not page.flat:
        return
    if word in ("ms", "sr") and raw.isupper() and page.raw[index + 1 : index + 2] != ["."]:
        return
    if word == "dr" and index and _is_street(page, index):
        return
    first = _skipped(page, index + 1, ".")
    last = name_end(page, first)
    while (
        page.flat and last > first + 1 and len(page.words[last - 1]) > 1 and page.words[last - 1] not in lexicon().names
    ):
        last -= 1  # without capitals, what follows may be any rare word
    if last > first and page.starts[first] - page.end(index) <= 3:
        yield _span(page, index if word in TITLES else first, last)
        yield from _others(page, last)


def _others(page: Page, last: int) -> Iterator[Span]:
    """Names that follow in the same list: 'Drs. Hall and Reyes'."""
    end = name_end(page, last + 1) if page.words[last : last + 1] in (["and"], ["&"]) else 0
    if end > last + 1 and page.words[last + 1] in lexicon().surname and page.words[last + 1] not in lexicon().terms:
        yield _span(page, last + 1, end)


def _is_street(page: Page, index: int) -> bool:
    return (
        index > 1
        and any(each.isdigit() for each in page.words[max(0, index - 4) : index])
        and page.raw[index - 1][0].isupper()
    )


def _introduced(page: Page, index: int, word: str) -> Iterator[Span]:
    """'son John', 'named Mary', 'Attending: Ana Ruiz', 'seen by Ruiz', 'Patient name: RUIZ, ANA'."""
    first = index + 1
    if page.words[first : first + 1] == ["name"]:
        first += 1
    labelled = page.raw[first : first + 1] in ([":"], ["-"], ["="]) or page.words[first : first + 2] == ["is", ":"]
    if word in ("from", "to", "re", "contact") and not labelled:
        return
    first = _skipped(page, first, ":-=,('\"")
    if (
        page.words[first : first + 1]
        and page.words[first] in ("is", "was", "named", "called", "name")
        and word in RELATIONS | NAMED
    ):
        first = _skipped(page, first + 1, ":,'\"")
    if first >= len(page.words) or first - index > 5 or "\n\n" in page.text[page.end(index) : page.starts[first]]:
        return
    last = name_end(page, first)
    if page.raw[last : last + 1] == [":"] and not labelled:
        return
    if last > first and _is_person(page, first, last, labelled):
        if page.raw[last : last + 1] == [","] and labelled and (more := name_end(page, last + 1, 3)) > last + 1:
            last = more if page.words[last + 1] not in DEGREES else last
        yield _span(page, first, last)


def _is_person(page: Page, first: int, last: int, labelled: bool) -> bool:
    """Whether capital words are a name rather than an organisation, a drug or a disease."""
    words = [page.words[at] for at in range(first, last) if page.raw[at].isalpha() and len(page.raw[at]) > 1]
    lists = lexicon()
    if not words:
        return False
    if any(word in ORGANISATIONS for word in words) or (
        page.words[last : last + 1] and page.words[last] in ORGANISATIONS
    ):
        return False
    if any(word in lists.terms and word not in lists.names for word in words):
        return False
    known = any(word in lists.names for word in words)
    unknown = all(word not in lists.common and word not in lists.terms for word in words)
    return (known and not (len(words) == 1 and words[0] in lists.terms)) or (
        unknown and (labelled or not page.flat) and not _shouted(page.raw[first])
    )


def _shouted(raw: str) -> bool:
    return len(raw) > 1 and raw.isupper()


ORGANISATIONS = listed("""
    hospital clinic center centre medical health healthcare university college school institute pharmacy
    laboratory labs church street avenue road county department memorial foundation system systems group
    associates insurance hospice home care disease syndrome sign score criteria test scale reflex classification
    scan procedure maneuver operation fracture lymphoma catheter
""")


def _degreed(page: Page, index: int) -> Iterator[Span]:
    """'Ana Ruiz, MD': back over the capital words before a degree."""
    if (not page.raw[index].isupper() and page.words[index] not in ("phd", "pharmd", "psyd")) or index < 2:
        return
    last = index
    while last > 0 and (page.raw[last - 1] in ",(" or page.words[last - 1] in DEGREES):
        last -= 1
    first = last
    while (
        first > 0
        and last - first < 6
        and "\n" not in page.text[page.end(first - 1) : page.starts[first] if first < last else page.end(first - 1)]
    ):
        raw = page.raw[first - 1]
        if (
            (page.namelike(first - 1) and page.words[first - 1] not in _STOPS)
            or (len(raw) == 1 and raw.isupper())
            or (
                raw in ".-'"
                and first < last
                and first > 1
                and page.raw[first - 2].isalpha()
                and (len(page.raw[first - 2]) == 1 or raw != ".")
            )
        ):
            first -= 1
        else:
            break
    if last > first and _is_person(page, first, last, last < index) and (last < index or last - first > 1):
        yield _span(page, first, last)


def _given_name(page: Page, index: int) -> Iterator[Span]:
    """A given name of the lists with another capital word or an initial: 'Anna S.', 'Svensson, Anna'."""
    if not page.namelike(index) and not (page.flat and page.words[index] not in lexicon().common):
        return
    if page.words[index] in lexicon().terms and page.words[index + 1 : index + 2] in (["'"], ["disease"], ["syndrome"]):
        return
    last = name_end(page, index)
    initial = last > index + 1 and len(page.raw[index + 1]) == 1 and page.raw[index + 1].isupper()
    if last > index + 1 and (initial or _is_person(page, index, last, True)) and _second_is_name(page, index, last):
        yield _span(page, index, last)
    before = page.words[index - 2] if index > 1 and page.raw[index - 1] == "," else ""
    if before in lexicon().surname and page.namelike(index - 2) and before not in lexicon().common:
        yield _span(page, index - 2, max(last, index + 1))


def _second_is_name(page: Page, index: int, last: int) -> bool:
    lists = lexicon()
    rest = [page.words[at] for at in range(index + 1, last) if page.raw[at].isalpha()]
    if not rest:
        return False
    surnames = any(word in lists.surname or (word not in lists.terms and len(word) > 1) for word in rest)
    return surnames or len(rest[-1]) == 1


def _initialled(page: Page, index: int) -> Iterator[Span]:
    """'J. Ruiz', 'J.R. Ruiz': initials before a surname of the lists."""
    if page.raw[index + 1 : index + 2] != ["."] or (index and page.text[page.starts[index] - 1] in ".-'"):
        return
    last = name_end(page, index)
    before = page.words[index - 1] if index else ""
    if before in lexicon().surname and before not in lexicon().common and page.namelike(index - 1):
        yield _span(page, index - 1, index + 2)  # 'Ruiz J.'
    words = [page.words[at] for at in range(index, last) if len(page.raw[at]) > 1 and page.raw[at].isalpha()]
    lists = lexicon()
    people = all(word in lists.names or word not in lists.common for word in words)
    if people and any(word in lists.surname and (len(words) > 1 or word not in lists.terms) for word in words):
        yield _span(page, index, last)
