"""Rules for what is made of digits and signs: contacts, identifiers, ages of 90 and more.

Every rule is tried only where its first sign stands, by a pattern that is anchored there and bounded.
"""

import re
from collections.abc import Iterator

from vitrail.deid.text.lexicon import listed
from vitrail.deid.text.page import Page
from vitrail.deid.text.spans import Category, Span

_PHONE = re.compile(
    r"(?:\+?1[\s.-]{0,2})?\(?[2-9\d]\d{2}\)?[\s./-]{0,3}\d{3}[\s.-]{1,3}\d{4}(?:[,\s]{0,2}(?:x|ext\.?|"
    r"extension)\s{0,2}\d{1,6})?(?![\d])"
)
_ABROAD = re.compile(r"\+\d{1,3}[\s.-]?(?:\(?\d{1,4}\)?[\s.-]?){2,5}\d{2,4}(?!\d)")
_LOCAL = re.compile(r"\d{3}-\d{4}(?:\s{0,2}(?:x|ext\.?)\s{0,2}\d{1,6})?(?![\d-])")
_SSN = re.compile(r"(?:\d{3}[-. ]\d{2}[-. ]\d{4}|[x*#]{3}-?[x*#]{2}-?\d{4})(?![\d-])")
_IP = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_MAC = re.compile(r"[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}(?![0-9a-z])")
_GROUPS = re.compile(r"\d{1,9}(?:-\d{1,9}){1,5}(?:-?[a-z]{1,4})?(?![a-z0-9]|-\d)")
_RUN = re.compile(r"\d{7,20}(?![\d.,]\d)")
_CODE = re.compile(
    r"[a-z]{1,6}[-#/]?\d{1,12}(?:[-/]?[a-z0-9]{1,10}){0,3}(?![a-z0-9])|"
    r"\d{2,12}-?[a-z]{1,6}(?:-?\d{1,12})?(?![a-z0-9])|[a-z]{2,6}(?:-[a-z0-9]{2,10}){1,3}(?![a-z0-9-])"
)
_HASHED = re.compile(r"#\s?([a-z0-9][a-z0-9-]{3,24})")
_VIN = re.compile(r"[a-hj-npr-z0-9]{17}(?![a-z0-9])")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_URL = re.compile(r"(?:https?|s?ftp):?/{1,2}[^\s<>\"']{1,500}|www\.[^\s<>\"']{1,300}")
_DOMAIN_TAIL = re.compile(r"(?:com|org|net|edu|gov|io|info|biz|us|uk|co|ca|mil)(?![a-z0-9])(?:/[^\s<>\"')\]]{0,300})?")
_TAILS = listed("""
    com org net edu gov io info biz mil co uk
""")

_UNIT = re.compile(
    r"\s{0,2}(?:mg|mcg|ug|g|kg|lbs?|ml|cc|l|dl|units?|iu|meq|mmol|mm|cm|in|inches|ft|feet|hz|kcal|cal|"
    r"calories|cells?|copies|k|m|x10|/|%|"
    r"years?|yrs?|y|months?|mos?|weeks?|wks?|days?|hours?|hrs?|minutes?|mins?|sec|seconds?|bpm|mmhg|"
    r"dollars|times|tablets?|tabs?|pills?|doses?|steps|degrees|am|pm)\b"
)
_VALUE = (
    r"(?P<value>#?\s?(?:[a-z]{1,8}[-/]?){0,2}\d[a-z0-9]{0,24}(?:[-/.\s](?=\d)[a-z0-9]{1,14}|[-/.][a-z0-9]{1,14}){0,5}"
    r"|#?\s?[a-z]{1,6}(?:-[a-z0-9]{1,10}){1,3})(?![a-z0-9])"
)
_FILL = (
    r"(?:\s{0,3}(?:number|numbers|num|nbr|no|id|ids|is|was|of|code|card|account|acct|record|rec|policy|plan|as|the|patient|pt|her|his"
    r"|last|four|digits|ending|in|and|for|with)\b\.?|\s{0,3}[#:=()\"'-]){0,6}\s{0,3}"
)
_STRONG = re.compile(
    r"(?:mrn|mr#|mr\s?#|medical\srecords?|med\.?\srec|m\.r\.n|emr|ehr|chart|account|acct|a/c|member|"
    r"subscriber|beneficiary|policy|group|payer|payor|insurance|insurer|insur|ins|"
    r"medicaid|medicare|health\splan|plan|license|licence|lic|dea|npi|serial|s/n|sn|device|implant|lot|"
    r"vin|plate|passport|"
    r"accession|specimen|case|encounter|visit|csn|fin|har|hicn|mbi|ssn|social\ssecurity|soc\.?\ssec|claim|"
    r"confirmation|badge|"
    r"employee|driver'?s?|certificate|tracking|order|rx|prescription|requisition|patient|pt|study|site|"
    r"subject|record|file|reference|ref|id|identifier|unit|nhs|"
    r"nric|tax|tin|ein|voter|student|room|pin|contract|invoice|receipt|donor|sample|registry|registration|"
    r"reg|hospital|document|doc|job|report|folder|notes|ticket)"
    r"(?=[\s#:=.)(-])" + _FILL + _VALUE
)
_ALWAYS = listed("""
    mrn ssn emr ehr mbi hicn csn npi dea vin nhs member subscriber beneficiary passport accession acct
""")
_KEYS = listed("""
    mrn mr medical med m emr ehr chart account acct a member subscriber beneficiary policy group payer payor
    insurance insurer insur ins medicaid medicare health plan license licence lic dea npi serial s sn device
    implant lot vin plate passport accession specimen case encounter visit csn fin har hicn mbi ssn social soc
    claim confirmation badge employee driver drivers certificate tracking order rx prescription requisition
    patient pt study site subject record file reference ref id identifier nhs nric tax tin ein voter student pin
    contract invoice receipt donor sample registry registration reg hospital document doc job report folder
    notes ticket
""")
_TOLD = re.compile(r"#|\b(?:number|num|nbr|no|id|ids|record|rec|policy|plan|ssn|mrn)\b|:")
_CALL = re.compile(
    r"(?:phone|telephone|tele|tel|fax|cell|cellular|mobile|pager|beeper|page|call|contact|reach(?:ed)?|"
    r"dial|voicemail|text|ph|ext|extension|x|hotline|helpline|landline|callback)"
    r"(?=[\s#:=.)(-])\.?(?:\s{0,3}(?:number|num|no|is|at|her|him|them|me|us|his|on|or|home|work|cell|"
    r"phone|office|fax|the|back|ext|direct|line)\b\.?|\s{0,3}[#:=()-]){0,6}\s{0,3}"
    r"(?P<value>[+(]?\d[\d\s().x-]{1,22}\d)(?!\d)"
)
_CALLS = listed("""
    phone telephone tele tel fax cell cellular mobile pager beeper page call contact reach reached dial
    voicemail text ph ext extension x hotline helpline landline callback
""")

_CODED = listed("""
    icd icd10 icd9 cpt loinc snomed ndc rxnorm hcpcs drg umls rxcui cvx atc omim nct doi pmid isbn issn nct0
    grant fda din rs cas
""")
_ABOUT = listed("""
    covid sars hla ca il pd cd cyp chads2 cha2ds2 has fev ctla her brca p ki t l c s gp b d h n m v f stage type
    grade class g jak sglt glp dpp mers who iso ph pco spo fio ef hb a vitamin sp omega apo lp trop phq gad moca
    mmse nihss gcs asa mrs ecog kps
""")

_AGE = re.compile(
    r"(?P<age>9\d|1[0-3]\d)(?:\s{0,2}-?\s{0,2}(?:years?|yrs?|yr|y)\.?(?:\s{0,2}-?\s{0,2}(?:old|of\sage|"
    r"o)\b\.?)?|\s?[-]?\s?(?:y\.?/?o\.?|yo|yof|yom|y/o)\b|\s?[- ]?(?:year|yr)s?-?old)(?![a-z])"
)
_AGED = re.compile(
    r"(?:aged?|turn(?:ed|ing|s)?)(?:\s{0,2}(?:is|of|at|was|about|over|[:=,(-]))?\s{0,2}(?P<age>9\d|"
    r"1[0-3]\d)(?![\d/.%]|\s{0,1}(?:mg|days|weeks|months|minutes))"
)
_SEXED = re.compile(r"(?P<age>9\d|1[0-2]\d)\s?-?(?:m|f|male|female|man|woman|lady|gentleman)\b")
_SPELLED = re.compile(
    r"(?:ninety(?:[\s-](?:one|two|three|four|five|six|seven|eight|nine))?|(?:one|"
    r"a)[\s-]hundred(?:[\s-](?:and[\s-])?(?:one|two|three|four|five|six|seven|eight|nine|"
    r"ten))?)[\s-]{1,2}years?[\s-]{1,2}(?:old|of\sage)"
)
_SURVIVED = re.compile(r"\s{1,2}(?:survival|experience|ago|later|history|risk)")


def find_codes(page: Page) -> Iterator[Span]:
    """Contacts, identifiers and ages of the page."""
    for index in page.where(_ANNOUNCING):
        yield from _after_key(page, index, page.words[index])
    reached = 0
    signs = [index for index in page.signs if page.raw[index] in "+(*#"]
    for index in sorted({*page.numbers, *signs, *_before_signs(page), *page.where(_OLD)}):
        start = page.starts[index]
        found = _at(page, index, page.words[index]) if start >= reached else None
        if found is not None:
            start, reached = found[0], found[1]
            yield Span(start, reached, found[2], "rule")
    yield from _signs(page)


_ANNOUNCING = _KEYS | _CALLS
_OLD = listed("aged age turned turning turns ninety one a x xxx")


def _before_signs(page: Page) -> Iterator[int]:
    """The capital letters before a hyphen, a slash or a number sign, with which a code may begin."""
    return (index - 1 for index in page.signs if index and page.raw[index] in "-#/" and _dashed(page, index - 1))


def _at(page: Page, index: int, word: str) -> tuple[int, int, Category] | None:
    """What begins at a word, by its shape alone."""
    start = page.starts[index]
    first = word[0]
    if first.isdigit() or first in "+(":
        return _number_at(page, index, start) or (_code_at(page, index, start) if first.isdigit() else None)
    if first in "x*" and (match := _SSN.match(page.low, start)):
        return start, match.end(), "ID"
    if (
        first == "#"
        and (match := _HASHED.match(page.low, start))
        and _digits(match[1]) >= 3
        and not _UNIT.match(page.low, match.end())
    ):
        return start, match.end(), "ID"
    if word in ("aged", "age", "turned", "turning", "turns") and (match := _AGED.match(page.low, start)):
        return match.start("age"), match.end("age"), "AGE"
    if word in ("ninety", "one", "a") and (match := _SPELLED.match(page.low, start)):
        return start, match.end(), "AGE"
    if first.isalpha() and ((len(word) >= 6 and not word.isalpha()) or _dashed(page, index)):
        return _code_at(page, index, start)
    return None


def _dashed(page: Page, index: int) -> bool:
    after = page.end(index)
    return (
        page.low[after : after + 1] in ("-", "#", "/")
        and page.text[page.starts[index]].isupper()
        and len(page.words[index]) <= 6
    )


def _number_at(page: Page, index: int, start: int) -> tuple[int, int, Category] | None:
    low = page.low
    if low[start - 1 : start] in (".", ",", "/") and low[start - 2 : start - 1].isdigit():
        return None
    several = low[start] in "+(" or _SEVERAL.match(low, start)
    for pattern, category in _NUMBERS if several else ():
        match = pattern.match(low, start)
        if match:
            return start, match.end(), category
    match = (_AGE.match(low, start) or _SEXED.match(low, start)) if low[start] in "91" else None
    if match:
        return None if _SURVIVED.match(low, match.end()) else (start, match.end(), "AGE")
    if not several:
        return None
    match = _GROUPS.match(low, start)
    if match and _is_identifier(page, index, match[0]):
        return start, match.end(), "ID"
    match = _RUN.match(low, start)
    if match and not _UNIT.match(low, match.end()) and not about_codes(page, index):
        return start, match.end(), "ID"
    return None


_SEVERAL = re.compile(r"[\da-f]{7}|[\da-f]{1,8}[\s.\-/:()]{1,4}\d|[\da-f]{2}[:-][\da-f]")
"""What every number of several groups, or of many digits, begins with."""

_NUMBERS: tuple[tuple[re.Pattern[str], Category], ...] = (
    (_UUID, "ID"), (_SSN, "ID"), (_PHONE, "CONTACT"), (_ABROAD, "CONTACT"), (_LOCAL, "CONTACT"), (_MAC, "ID"),
)  # fmt: skip


def _is_identifier(page: Page, index: int, text: str) -> bool:
    """Groups of digits with hyphens: an identifier where they are many and no range of years or amounts."""
    parts = re.findall(r"\d+", text)
    total = sum(map(len, parts))
    if total < 6 or _UNIT.match(page.low, page.starts[index] + len(text)) or about_codes(page, index):
        return False
    if len(parts) == 2 and not any(each.isalpha() for each in text):
        first, second = parts
        years = all(len(each) == 4 and each[:2] in ("18", "19", "20") for each in parts)
        ranged = (
            len(first) == len(second)
            and total <= 8
            and int(first) < int(second)
            and (total == 6 or first[-2:] == second[-2:] == "00")
        )
        return not (years or ranged or (len(second) == 1 and total < 7))
    return True


def _code_at(page: Page, index: int, start: int) -> tuple[int, int, Category] | None:
    """A code of letters and digits that names a person, a device or a record."""
    low, word = page.low, page.words[index]
    if low[start - 1 : start].isalnum() or low[start - 1 : start] == "-":
        return None
    if word.isdigit() and low[page.end(index) : page.end(index) + 1] != "-":
        return None  # neither letters nor a hyphen follow
    match = _VIN.match(low, start) if len(word) == 17 else None
    if match and 3 <= _digits(match[0]) < 17:
        return start, match.end(), "ID"
    match = _CODE.match(low, start)
    if match is None or about_codes(page, index) or _UNIT.fullmatch(low, start + _lead(match[0]), match.end()):
        return None
    text, digits = match[0], _digits(match[0])
    letters = sum(1 for each in text if each.isalpha())
    head = re.split(r"[-#/\d]", text, maxsplit=1)[0]
    if (head in _ABOUT and digits < 6) or _TIMED.fullmatch(text):
        return None
    enough = digits >= 5 or (digits >= 4 and "-" in text and letters >= 1 and not _YEARED.search(text))
    return (start, match.end(), "ID") if enough and letters else None


_TIMED = re.compile(
    r"\d+(?:st|nd|rd|th|am|pm|mg|ml|mcg|cm|mm|kg|lb|lbs|k|x|s|cc|g|h|hr|hrs|min|yo|year|years|day|days)(?:-?[a-z]+)?"
)
_YEARED = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


def _lead(text: str) -> int:
    return len(text) - len(text.lstrip("0123456789"))


def about_codes(page: Page, index: int) -> bool:
    """Whether a code of a terminology or of the literature is said just before: it names no person."""
    return any(word in _CODED for word in page.words[max(0, index - 4) : index + 1]) or page.words[index].startswith(
        "nct0"
    )


def _digits(text: str) -> int:
    return sum(1 for each in text if each.isdigit())


def _after_key(page: Page, index: int, word: str) -> Iterator[Span]:
    """What a word announces: 'MRN: …', 'policy number …', 'call …'."""
    low, start = page.low, page.starts[index]
    if word not in _DIGITLESS and not page.digits_within(start, FARTHEST):
        return
    if word in _CALLS:
        match = _CALL.match(low, start)
        if match and (
            _digits(match["value"]) >= 7
            or (_digits(match["value"]) >= 4 and word not in ("page", "call", "text", "x", "contact"))
        ):
            yield Span(match.start("value"), match.end("value"), "CONTACT", "rule")
            return
    match = _STRONG.match(low, start)
    if match is None:
        return
    said = low[start : match.start("value")]
    value, digits = match["value"], _digits(match["value"])
    if _UNIT.match(low, match.end()) or (
        value.isdigit() and len(value) == 4 and value[:2] in ("19", "20") and word not in _ALWAYS
    ):
        return
    told = word in _ALWAYS or bool(_TOLD.search(said[len(word) :])) or value.startswith("#")
    least = 3 if told and word not in _LOOSE else 5
    if digits >= least or (told and word in _DIGITLESS and "-" in value):
        # 'patient ID: 12' says what it is by its label alone; what 'MRN' says is the same for everybody
        start = start if word in _OWNING and re.search(r"\bid\b|#", said) else match.start("value")
        yield Span(start, match.end("value"), "ID", "rule")


FARTHEST = 140
"""Characters from a word that announces a number within which the number begins, by the patterns."""

_DIGITLESS = ("mrn", "vin")
"""What these announce may be without digits."""

_OWNING = listed("patient pt site study subject case")
_LOOSE = listed("""
    patient pt a m s order visit notes report file hospital unit page group plan health medical reg room case
    study site
""")


def _signs(page: Page) -> Iterator[Span]:
    """What an @, a dot or a colon shows: addresses of mail, of pages and of machines."""
    low = page.low
    at = low.find("@")
    while at >= 0:
        start, end = _mail_around(low, at)
        if end:
            yield Span(start, end, "CONTACT", "rule")
        at = low.find("@", max(at + 1, end))
    if "://" in low or "www." in low:
        yield from (Span(match.start(), _trimmed(match), "CONTACT", "rule") for match in _URL.finditer(low))
    for index in page.where(_TAILS):
        if index > 1 and low[page.starts[index] - 1] == ".":
            yield from _domain(page, index)
    for index in page.numbers:
        match = _IP.match(low, page.starts[index]) if low[page.starts[index]].isdigit() else None
        if match and all(int(each) < 256 for each in match[0].split(".")):
            yield Span(match.start(), match.end(), "CONTACT", "rule")


def _trimmed(match: re.Match[str]) -> int:
    return match.start() + len(match[0].rstrip(".,;:!?)]}"))


_LOCAL_PART = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._%+-'")


def _mail_around(low: str, at: int) -> tuple[int, int]:
    """The mail address or handle about an @; end 0 where there is none. OCR may have put spaces about the @."""
    start = at
    while start > 0 and at - start < 64 and low[start - 1] in _LOCAL_PART:
        start -= 1
    end = at + 1
    while end < len(low) and end - at < 190 and (low[end].isalnum() or low[end] in ".-_"):
        end += 1
    while end > at + 1 and low[end - 1] in ".-_":
        end -= 1
    if end - at < 3 or not any(each.isalpha() for each in low[at:end]):
        spaced = _SPACED_MAIL.match(low, at)
        end = spaced.end() if spaced else 0
    if start == at and end and "." in low[at:end] and (before := _BEFORE_MAIL.search(low[max(0, at - 66) : at])):
        start = at - len(before[0])
    return start, end


_SPACED_MAIL = re.compile(r"@ {1,2}[a-z0-9-]{1,60}\s?\.\s?(?:com|org|net|edu|gov)\b")
_BEFORE_MAIL = re.compile(r"[a-z0-9._%+-]{1,64} $")


def _domain(page: Page, index: int) -> Iterator[Span]:
    low, start = page.low, page.starts[index] - 1
    least = max(0, start - 100)
    while start > least and (low[start - 1].isalnum() or low[start - 1] in ".-"):
        start -= 1
    match = _DOMAIN_TAIL.match(low, page.starts[index])
    if match and start < page.starts[index] - 2 and any(each.isalpha() for each in low[start : page.starts[index]]):
        yield Span(start, max(match.start(), _trimmed(match)), "CONTACT", "rule")
