"""The elements of a FHIR resource as the texts of a source record. What is not as FHIR has it raises :class:`Unfit`.

Reasons name elements of the specification and never a value: neither a code nor a key that a file made up.
"""

import base64
import binascii
import calendar
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from vitrail.ingest.source_records import UNCODED, coded
from vitrail.vocabulary.mapping_files import code_systems

Element = Mapping[str, Any]

_DATE = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?"
)
_ID = re.compile(r"[A-Za-z0-9\-._~:]{1,128}")
_CODE = re.compile(r"\S(?:[^\t\r\n]{0,498}\S)?")
_URL = re.compile(r"(https?://[^\s?#]+?)/([A-Z][A-Za-z]{1,39})/([^/\s?#]+)(?:/_history/[^/\s?#]+)?")

CHARSETS = {"utf-8": "utf-8-sig", "us-ascii": "ascii", "iso-8859-1": "latin-1", "windows-1252": "cp1252",
            "utf-16": "utf-16", "utf-16le": "utf-16-le", "iso-8859-15": "iso-8859-15"}  # fmt: skip
NOTE_TYPES = ("text/plain", "text/html", "application/xhtml+xml", "text/rtf", "application/rtf", "text/xml",
              "application/hl7-v3+xml", "text/markdown")  # fmt: skip
"""The content types of notes that are kept as they are; what is no text is not."""


class Unfit(Exception):
    """A resource that cannot be loaded; ``reason`` is constant."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def part(of: Element, name: str) -> Element:
    """An element that may stand once; empty where it is absent. Raises Unfit."""
    found = of.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Unfit(f"{name} is not as FHIR has it")
    return found


def parts(of: Element, name: str) -> list[Element]:
    """An element that may be repeated. Raises Unfit."""
    found = of.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Unfit(f"{name} is not as FHIR has it")
    return found


def text(of: Element, name: str) -> str | None:
    """A text; None where it is absent or blank. Raises Unfit."""
    found = of.get(name)
    if found is None:
        return None
    if not isinstance(found, str):
        raise Unfit(f"{name} is no text")
    return found.strip() or None


def texts(of: Element, name: str) -> list[str]:
    """A text that may be repeated, without blanks. Raises Unfit."""
    found = of.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, str | None) for each in found):
        raise Unfit(f"{name} is not as FHIR has it")
    return [each.strip() for each in found if each and each.strip()]


def number(of: Element, name: str) -> str | None:
    """A number as text. Raises Unfit."""
    found = of.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise Unfit(f"{name} is no number")
    if abs(found) > 1e15 or 0 < abs(found) < 1e-15:
        raise Unfit(f"{name} is out of range")
    return repr(found)


def flag(of: Element, name: str) -> bool | None:
    """A boolean. Raises Unfit."""
    found = of.get(name)
    if found is not None and not isinstance(found, bool):
        raise Unfit(f"{name} is no boolean")
    return found


def day(of: Element, name: str, last: bool = False) -> str | None:
    """The day of a date or time, as it was written, in the place where it was written: no time zone moves it.

    Of a month or year alone the first day is taken, or the ``last``. Raises Unfit.
    """
    found = text(of, name)
    if found is None:
        return None
    written = _DATE.fullmatch(found)
    if written is None:
        raise Unfit(f"{name} is no date")
    year, month = int(written[1]), int(written[2] or (12 if last else 1))
    if not (1 <= month <= 12 and year > 0):
        raise Unfit(f"{name} is no date")
    in_month = calendar.monthrange(year, month)[1]
    of_month = int(written[3] or (in_month if last else 1))
    if not 1 <= of_month <= in_month:
        raise Unfit(f"{name} is no date")
    return f"{year:04d}-{month:02d}-{of_month:02d}"


def period(of: Element, name: str) -> tuple[str | None, str | None]:
    """The first and the last day of a Period; an open end is None. Raises Unfit."""
    found = part(of, name)
    return day(found, "start"), day(found, "end", last=True)


def codes(concept: Element) -> str | None:
    """The codings of a CodeableConcept as :func:`vitrail.ingest.source_records.coded` writes them.

    What a person chose stands first (https://hl7.org/fhir/R4/datatypes-definitions.html#Coding.userSelected). None
    where there is nothing at all; one without a code where there is only text. Raises Unfit.
    """
    given = parts(concept, "coding")
    chosen = sorted(given, key=lambda each: flag(each, "userSelected") is not True)
    found = [_coding(each) for each in chosen if text(each, "code")]
    return "\n".join(dict.fromkeys(found)) or (UNCODED if given or text(concept, "text") else None)


def _coding(of: Element) -> str:
    system, code = text(of, "system") or "", text(of, "code") or ""
    if not _CODE.fullmatch(code) or (system and not _CODE.fullmatch(system)):
        raise Unfit("a code is not as FHIR has it")
    return coded(code_systems().get(system, system), code)


def unit(quantity: Element) -> str | None:
    """The unit of a Quantity as a coded text: the coded one, else the printed one as if it were UCUM."""
    code = text(quantity, "code") or text(quantity, "unit")
    if code is None:
        return None
    system = text(quantity, "system") if text(quantity, "code") else None
    return _coding({"system": system or "http://unitsofmeasure.org", "code": code})


def coding_of(concepts: list[Element], system: str) -> str | None:
    """The first code of one system among several CodeableConcepts."""
    found = (each for concept in concepts for each in parts(concept, "coding") if text(each, "system") == system)
    return next((code for each in found if (code := text(each, "code"))), None)


def extension(of: Element, url: str) -> Element:
    """The first extension with that address; empty where there is none."""
    return next((each for each in parts(of, "extension") if each.get("url") == url), {})


def own_id(resource: Element) -> str:
    """The id of a resource. Raises Unfit where it has none."""
    found = text(resource, "id")
    if found is None or not _ID.fullmatch(found):
        raise Unfit("the resource has no id")
    return found


class References:
    """What references mean in one source: resources of one server.

    A key is the id of a resource, or ``Type?system|value`` where it is told by an identifier.
    """

    def __init__(self) -> None:
        self.server: str | None = None

    def key(self, of: Element, name: str, kind: str) -> str | None:
        """The key of the ``kind`` of resource that an element refers to; None where it refers to none or another.

        Raises Unfit.
        """
        found = part(of, name)
        reference = text(found, "reference")
        if reference is None:
            return self._identified(found, kind)
        if reference.startswith("#"):
            return None
        if reference.startswith(("urn:uuid:", "urn:oid:")):
            return reference
        if reference.startswith(f"{kind}?identifier="):
            return f"{kind}?{unquote(reference.removeprefix(f'{kind}?identifier='))}"
        return self._by_address(reference, kind)

    def _identified(self, found: Element, kind: str) -> str | None:
        identifier = part(found, "identifier")
        value = text(identifier, "value")
        if value is None or text(found, "type") not in (None, kind):
            return None
        return identified(kind, text(identifier, "system"), value)

    def _by_address(self, reference: str, kind: str) -> str | None:
        absolute = _URL.fullmatch(reference)
        if absolute is None:
            type_, _, rest = reference.partition("/")
            return rest.partition("/")[0] or None if type_ == kind else None
        self.one_server(absolute[1])
        return absolute[3] if absolute[2] == kind else None

    def of_url(self, url: str | None) -> str | None:
        """The alias under which a bundle's entry may be referred to. Raises Unfit where it is of another server."""
        if url is None:
            return None
        absolute = _URL.fullmatch(url)
        if absolute is None:
            return url if url.startswith("urn:") else None
        self.one_server(absolute[1])
        return None

    def one_server(self, server: str) -> None:
        """Ids mean something on one server only. Raises Unfit where a second one is met."""
        self.server = self.server or server
        if server != self.server:
            raise Unfit("the resource is of another server than those before")


def identified(kind: str, system: str | None, value: str) -> str:
    """The key of a resource that is told by an identifier."""
    return f"{kind}?{system or ''}|{value}"


def contained(resource: Element, of: Element, name: str) -> Element:
    """The contained resource that an element refers to; empty where it refers to none. Raises Unfit."""
    reference = text(part(of, name), "reference") or ""
    if not reference.startswith("#"):
        return {}
    inside = parts(resource, "contained")
    found = next((each for each in inside if each.get("id") == reference[1:]), None)
    if found is None:
        raise Unfit("a contained resource is not there")
    return found


def note_text(attachment: Element) -> str | None:
    """The text of an attachment, as it is; None where it is of no content type that is text. Raises Unfit."""
    kind, *settings = [each.strip().lower() for each in (text(attachment, "contentType") or "").split(";")]
    if kind not in NOTE_TYPES:
        return None
    data = text(attachment, "data")
    if data is None:
        raise Unfit("the note is elsewhere, and not in the source")
    said = next((each.removeprefix("charset=").strip('"') for each in settings if each.startswith("charset=")), "utf-8")
    if said not in CHARSETS:
        raise Unfit("the note is in an encoding that is not known")
    try:
        return base64.b64decode("".join(data.split()), validate=True).decode(CHARSETS[said]).replace("\0", "")
    except (binascii.Error, ValueError) as error:
        raise Unfit("the note cannot be decoded") from error
