"""What stands in the place of what was found: of the same kind, origin, gender and layout, and never the same.

Every choice is drawn by HMAC-SHA-256 (RFC 2104) from a key, the person and the word that is replaced, so one word of
one person has one surrogate in all of the person's notes, and nobody without the key can draw it again.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from vitrail.deid.text.dates import shifted
from vitrail.deid.text.folding import plain_letters
from vitrail.deid.text.lexicon import lexicon, listed, names_of, places
from vitrail.deid.text.localities import STREETS
from vitrail.deid.text.people import DEGREES, TITLES
from vitrail.deid.text.slips import misread, off_by_one
from vitrail.deid.text.spans import Category

DATE_MARK = "[DATE]"
OLDEST = "90 or older"

_STREET_NAMES = (
    "Alder",
    "Birch",
    "Chestnut",
    "Dogwood",
    "Hickory",
    "Juniper",
    "Laurel",
    "Magnolia",
    "Poplar",
    "Sycamore",
    "Walnut",
    "Willow",
)
_WORD = re.compile(r"[^\W\d_]+")
_NAME_WORD = re.compile(r"[^\W_]+")
_BROKEN = re.compile(r"(?<=[^\W\d_])-\s{0,2}\n\s{0,2}(?=[a-z])")
_CONNECTORS = listed("and van von de del la le der den di da bin ibn al el ii iii the of s")
_HEADS = (
    listed("""
    hospital clinic center centre medical med ctr health healthcare care general gen memorial university college
    school institute pharmacy church nursing home room rm bed apt suite ward unit floor box po p o children
    childrens s system va community county regional
""")
    | STREETS
)


@dataclass(frozen=True)
class Draw:
    """The draws of one person. ``avoid`` are the words that no surrogate may be, in lower case."""

    key: bytes
    person: str
    parts: tuple[str, ...] = ()

    def number(self, purpose: str, word: str, below: int) -> int:
        """A number from 0 to ``below`` - 1, the same for the same purpose and word."""
        message = "\x00".join((self.person, purpose, word)).encode("utf-8", "surrogatepass")
        return int.from_bytes(hmac.digest(self.key, message, hashlib.sha256)[:8], "big") % below

    def one_of(self, purpose: str, word: str, choices: tuple[str, ...]) -> str:
        """One of the choices that is not the word itself nor one of the person's own names."""
        at = self.number(purpose, word, len(choices))
        for step in range(len(choices)):
            chosen = choices[(at + step) % len(choices)]
            if chosen.lower() != word and chosen.lower() not in self.parts:
                return chosen
        return choices[at]


@lru_cache(maxsize=4096)
def surrogate(text: str, category: Category, draw: Draw, shift: int | None) -> str:
    """What stands in the place of ``text``. A date moves by ``shift`` days; without a shift it becomes a mark."""
    if category == "DATE":
        return (shifted(text, shift) if shift is not None else None) or DATE_MARK
    return _MAKERS[category](text, draw)


def _name(text: str, draw: Draw) -> str:
    text = _BROKEN.sub("", text)
    if not _NAME_WORD.search(text):
        return text
    kept = {match.start() for match in _NAME_WORD.finditer(text) if _stays(match, text)}
    words = [plain_letters(match[0]).lower() for match in _NAME_WORD.finditer(text) if match.start() not in kept]
    origin, inverted, place = _origin(words, draw), "," in text, 0

    def one(match: re.Match[str]) -> str:
        nonlocal place
        if match.start() in kept:
            return match[0]
        place += 1
        word = plain_letters(match[0]).lower()
        return _cased(_name_word(word, place, len(words), origin, draw, inverted), match[0])

    return _NAME_WORD.sub(one, text)


def _stays(match: re.Match[str], text: str) -> bool:
    """Whether a word of a name is a title before it, a small connector in it, or a degree behind its comma."""
    word, before = match[0].lower(), text[: match.start()].rstrip()[-1:]
    if match.start() == 0:
        return word in TITLES and match.end() < len(text.rstrip("."))
    if word in DEGREES:
        return before == "," and match[0].isupper() and not text.isupper()
    return (word in _CONNECTORS and match[0].islower() and match.end() < len(text)) or (
        match[0] == "s" and before == "'"
    )


def _name_word(word: str, place: int, count: int, origin: str, draw: Draw, inverted: bool) -> str:
    root = _root(word, draw)
    if len(word) == 1:
        same = next((part for part in draw.parts if part[0] == word and len(part) > 1), None)
        return (
            _name_word(same, place, count, origin, draw, inverted)[0]
            if same
            else "ABCDEFGHJKLMNPRSTW"[draw.number("initial", word, 18)]
        )
    lists = lexicon()
    last_place = (place == 1) if inverted else (place == count and count > 1)
    given = root in lists.given and not (root in lists.surname and last_place)
    if given:
        tags = lists.given[root]
        tag = next((each for each in tags if each.split(":")[0] == origin), tags[0])
    else:
        tags = lists.surname.get(root, ())
        tag = f"{origin if origin in tags or not tags else tags[0]}:s"
    if count == 1 and root not in lists.given and root not in lists.surname:
        tag = f"{origin}:s"
    return draw.one_of(tag[-1], root, names_of(tag))


def _root(word: str, draw: Draw) -> str:
    """The word that a variant stands for: a nickname's name, and a slip's known part of the person's name."""
    lists = lexicon()
    if word in draw.parts:
        return word
    for name in lists.nicknames.get(word, ()):
        if name in draw.parts:
            return name
    if word not in lists.names and len(word) > 3:
        alike = (
            part for part in draw.parts if len(part) > 3 and (off_by_one(word, part) or misread(word) == misread(part))
        )
        return next(alike, word)
    if word in lists.nicknames and word not in lists.given:
        return lists.nicknames[word][0]
    return word


def _origin(words: list[str], draw: Draw) -> str:
    """The origin that most words of a name, or else of the person's own name, are used in."""
    for group in (words, list(draw.parts)):
        votes: dict[str, float] = {}
        for word in group:
            tags = {tag.split(":")[0] for tag in (*lexicon().given.get(word, ()), *lexicon().surname.get(word, ()))}
            for tag in tags:
                votes[tag] = votes.get(tag, 0) + 1 / len(tags)
        if votes:
            return max(sorted(votes), key=lambda tag: votes[tag])
    return _by_ending(words[-1]) if words else "anglo"


@lru_cache(maxsize=4096)
def _by_ending(word: str) -> str:
    """The origin whose surnames share the longest ending with a word; anglo where none shares three letters."""
    for length in range(min(6, len(word)), 2, -1):
        votes: dict[str, int] = {}
        for name, tags in lexicon().surname.items():
            if name.endswith(word[-length:]):
                votes[tags[0]] = votes.get(tags[0], 0) + 1
        if votes:
            return max(sorted(votes), key=lambda tag: votes[tag])
    return "anglo"


def _cased(word: str, like: str) -> str:
    if like.isupper() and (len(like) > 1 or len(word) == 1):
        return word.upper()
    return word.lower() if like.islower() else word[0].upper() + word[1:]


_LABEL = re.compile(
    r"(?:(?:mrn|ssn|patient|pt|site|study|subject|case|id|number|no|acct|account|record|medical|policy|member)\b[\s#:.]+)+(?=.*\d)",
    re.I,
)


def _short(word: str) -> str:
    """The word itself, or a digest where it is long, so that many draws about it stay cheap."""
    return word if len(word) < 64 else hashlib.sha256(word.encode("utf-8", "surrogatepass")).hexdigest()


def _characters(text: str, draw: Draw) -> str:
    """Digits for digits and letters for letters; signs stay, and so do the words of a label before them."""
    label = _LABEL.match(text)
    if label:
        return label[0] + _characters(text[label.end() :], draw)
    word = _short(re.sub(r"[^a-z0-9]", "", plain_letters(text).lower()))
    out = []
    for at, character in enumerate(text):
        if character.isdigit():
            out.append(str((int(plain_letters(character) or 0) + 1 + draw.number(f"digit {at}", word, 9)) % 10))
        elif character.isalpha():
            letter = "ABCDEFGHJKLMNPQRSTUVWXYZ"[draw.number(f"letter {at}", word, 24)]
            out.append(letter if character.isupper() else letter.lower())
        else:
            out.append(character)
    return "".join(out)


def _contact(text: str, draw: Draw) -> str:
    low = text.lower()
    mark = draw.number("contact", re.sub(r"\W", "", low), 10_000)
    if "@" in text:
        return f"person{mark:04d}@example.org"
    if re.fullmatch(r"\d{1,3}(?:\.\d{1,3}){3}", text):
        return f"192.0.2.{1 + mark % 254}"
    if any(each.isalpha() for each in low.replace("ext", "").replace("x", "")) and "." in text:
        return f"https://example.org/{mark:04d}" if "/" in text else f"{mark:04d}.example.org"
    return _phone(text, draw)


def _phone(text: str, draw: Draw) -> str:
    """Other digits in the same layout; seven or ten become a number that is kept for fiction (555-01xx)."""
    digits = [at for at, character in enumerate(text) if character.isdigit()]
    out = list(_characters(text, draw))
    main = digits[:10] if len(digits) >= 10 and not text.startswith("+") else digits[:7] if len(digits) == 7 else []
    for at, digit in zip(main[-7:-2], "55501", strict=False):
        out[at] = digit
    return "".join(out)


def _place(text: str, draw: Draw) -> str:
    """Another place: head words, layout and the number of digits stay."""
    chosen: list[str] = []
    words = [word.lower() for word in _WORD.findall(plain_letters(text))]
    street = any(word in STREETS for word in words) and any(each.isdigit() for each in text)

    def one(match: re.Match[str]) -> str:
        word = plain_letters(match[0]).lower()
        if word in _HEADS or (word in ("of", "the", "and", "in", "at") and len(words) > 1):
            return match[0]
        if chosen and not (street and len(chosen) == 1 and "," in text[: match.start()]):
            return ""
        chosen.append(word)
        choices = _STREET_NAMES if street and len(chosen) == 1 else places("surrogate")
        return _cased(
            draw.one_of("place", " ".join(each for each in words if each not in _HEADS), choices),
            match[0] if len(match[0]) > 3 else match[0].title(),
        )

    replaced, said = _WORD.sub(one, text), _short(text.lower())
    tidy = re.sub(
        r"(?<=[^\W\d_])(?:[ ,.'&’-]*[,.'&’-])?[ ]{2,}|[ ,.'&’-]*[,.'&’-](?= ?$)|(?<=\w)[ '’&.-]+(?=,)", " ", replaced
    ).strip()
    return (
        "".join(
            _digit(character, at, said, draw)
            for at, character in enumerate(re.sub(r" {2,}| ,|(?<= )[.'’&-]+ ", " ", tidy))
        )
        or "Fairbrook"
    )


def _digit(character: str, at: int, word: str, draw: Draw) -> str:
    return (
        str((int(plain_letters(character) or 0) + 1 + draw.number(f"digit {at}", word, 9)) % 10)
        if character.isdigit()
        else character
    )


def _age(text: str, _: Draw) -> str:
    return (
        OLDEST
        if not text.lower().endswith(("m", "f", "male", "female", "man", "woman", "lady"))
        else f"{OLDEST} {re.sub(r'[^A-Za-z]', '', text)}"
    )


_MAKERS: dict[str, Callable[[str, Draw], str]] = {
    "NAME": _name,
    "LOCATION": _place,
    "ID": _characters,
    "CONTACT": _contact,
    "AGE": _age,
}
