"""Plain text from RTF, HTML and XML, with a map back to the input.

What a reader would not see (tags and their attributes, comments, scripts, font tables, document properties, pictures)
is left out of the plain text, and so of the cleaned text.
"""

import html
import re
from collections.abc import Iterator

from vitrail.deid.text.folding import Mapped, assembled
from vitrail.deid.text.lexicon import listed

INLINE = listed("""
    b i u em strong span font a sub sup small big mark content tt code abbr
""")
"""Elements that do not break a word."""

_MARKED_UP = re.compile(
    r"<(?:/?(?:html|head|body|div|p|br|span|b|i|u|em|strong|table|tr|td|th|ul|ol|li|h[1-6]|font|a|pre|hr)"
    r"(?:\s[^<>]{0,500})?/?|\?xml[^<>]{0,500}|!doctype[^<>]{0,500}|/[a-z][\w:.-]{0,60})>",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_TAG = re.compile(r"<(?:/?([A-Za-z][\w:.-]{0,60})[^<>]*|[!?][^<>]*)>")
_PIECE = re.compile(r"[<&]|[^<&]+")

_RTF = re.compile(
    r"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\(.)|([{}])|[\r\n]+|([^\\{}\r\n]+)|\\", re.DOTALL
)
_UNREAD = listed("""
    fonttbl colortbl stylesheet info pict object themedata datastore latentstyles listtable listoverridetable
    rsidtbl generator xmlnstbl fldinst bkmkstart bkmkend revtbl filetbl
""")
_BREAKS = {"par": "\n", "line": "\n", "row": "\n", "sect": "\n", "page": "\n", "tab": "\t", "cell": "\t"} | {
    "emdash": "-", "endash": "-", "lquote": "'", "rquote": "'", "ldblquote": '"', "rdblquote": '"', "bullet": "*"
}  # fmt: skip


def plain(text: str) -> Mapped:
    """What a reader would see of ``text``."""
    if text.lstrip()[:5] == "{\\rtf":
        return assembled(_read_rtf(text))
    if "<" in text and _MARKED_UP.search(text):
        return assembled(_read_markup(text))
    if "&" in text and _ENTITY.search(text):
        return assembled(_read_entities(text))
    return Mapped(text)


def _read_entities(text: str) -> Iterator[tuple[str, int, int]]:
    at = 0
    for match in _ENTITY.finditer(text):
        yield text[at : match.start()], at, match.start()
        yield html.unescape(match[0]), match.start(), match.end()
        at = match.end()
    yield text[at:], at, len(text)


def _read_markup(text: str) -> Iterator[tuple[str, int, int]]:
    lower = text.lower()
    hidden = dict(_hidden(lower))
    at = 0
    while at < len(text):
        if at in hidden:
            yield "\n", at, hidden[at]
            at = hidden[at]
            continue
        match = _TAG.match(text, at) or _ENTITY.match(text, at) or _PIECE.match(text, at)
        if match is None:
            break
        yield _shown(match), at, match.end()
        at = match.end()


def _shown(match: re.Match[str]) -> str:
    if match.re is _PIECE:
        return match[0]
    if match.re is _ENTITY:
        return html.unescape(match[0])
    name = (match[1] or "").lower()
    return "" if name in INLINE else "\t" if name in ("td", "th") else "\n"


def _hidden(lower: str) -> Iterator[tuple[int, int]]:
    """Comments, scripts and styles; one that is never closed hides nothing."""
    for opening, closing in (("<!--", "-->"), ("<script", "</script>"), ("<style", "</style>")):
        at = lower.find(opening)
        while at >= 0:
            end = lower.find(closing, at)
            if end < 0:
                break
            yield at, end + len(closing)
            at = lower.find(opening, end)


def _read_rtf(text: str) -> Iterator[tuple[str, int, int]]:
    """Text by the Rich Text Format specification 1.9.1: groups, destinations, code page and Unicode escapes."""
    unread, skip = [False], [1]
    owed = 0
    for match in _RTF.finditer(text):
        word, number, byte, symbol, brace, plain_text = match.groups()
        if brace == "{":
            unread.append(unread[-1])
            skip.append(skip[-1])
        elif brace == "}":
            if len(unread) > 1:
                unread.pop()
                skip.pop()
        elif symbol == "*" or word in _UNREAD:
            unread[-1] = True
        elif word == "uc":
            skip[-1] = min(int(number or 1), 8)
        elif not unread[-1]:
            said = _said(word, number, byte, symbol, plain_text)
            dropped = min(owed, len(said)) if byte or plain_text else 0
            start = match.start() + (dropped if plain_text else 0)
            owed = skip[-1] if word == "u" else owed - dropped
            if said[dropped:]:
                yield said[dropped:], start, match.end()


def _said(word: str | None, number: str | None, byte: str | None, symbol: str | None, plain_text: str | None) -> str:
    if plain_text:
        return plain_text
    if byte:
        return bytes([int(byte, 16)]).decode("cp1252", "replace")
    if word == "u":
        return chr(int(number or 63) % 65536)
    if word:
        return _BREAKS.get(word, "")
    return {"~": " ", "_": "-", "\n": "\n", "\r": "\n"}.get(
        symbol or "", symbol if symbol in ("\\", "{", "}") else ""
    ) or ""
