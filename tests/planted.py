"""People whose identifiers are planted in notes that have none, as they are and as people and machines garble them."""

import random
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from vitrail.deid.text.lexicon import lexicon, names_of
from vitrail.deid.text.spans import Known

Dice = random.Random


@dataclass(frozen=True)
class Person:
    """Somebody's identifiers, in parts."""

    given: str
    surname: str
    born: date
    mrn: str
    phone: str
    house: int
    street: str
    town: str

    @property
    def known(self) -> Known:
        return Known(
            (f"{self.given} {self.surname}",),
            (self.born.isoformat(),),
            (self.mrn,),
            (self.phone,),
            (f"{self.house} {self.street} Street, {self.town}, OH 44107",),
        )


def person(origin: str, dice: Dice) -> Person:
    """Somebody with a name of an origin."""
    return Person(
        given=dice.choice(names_of(f"{origin}:{dice.choice('fm')}")),
        surname=dice.choice(names_of(f"{origin}:s")),
        born=date(1930, 1, 1) + timedelta(days=dice.randrange(30000)),
        mrn="".join(dice.choice("0123456789") for _ in range(8)),
        phone=f"{dice.randint(201, 989)}-{dice.randint(200, 999)}-{dice.randint(0, 9999):04d}",
        house=dice.randint(100, 9999),
        street=dice.choice(("Wexhaven", "Millbury", "Tarrowgate", "Quillan", "Brindlemoor")),
        town=dice.choice(("Eddleston", "Varnhill", "Cobbsworth", "Lyndale")),
    )


def full(who: Person, dice: Dice) -> str:
    return f"{who.given} {who.surname}"


def typo(word: str, dice: Dice) -> str:
    """One insertion, deletion, change or swap of neighbours, that changes the word and leaves its first letter."""
    while True:
        at = dice.randrange(1, len(word))
        letter = dice.choice("abcdefghijklmnopqrstuvwxyz")
        made = dice.choice((
            word[:at] + letter + word[at:], word[:at] + word[at + 1 :], word[:at] + letter + word[at + 1 :],
            word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :] if at > 1 else word,
        ))  # fmt: skip
        if made.lower() != word.lower():
            return made


def misread(word: str, dice: Dice) -> str:
    """As OCR reads it: one or two letters taken for others."""
    pairs = (
        ("o", "0"),
        ("l", "1"),
        ("i", "l"),
        ("m", "rn"),
        ("s", "5"),
        ("d", "cl"),
        ("w", "vv"),
        ("I", "l"),
        ("O", "0"),
        ("S", "5"),
    )
    able = [pair for pair in pairs if pair[0] in word[1:]]
    for before, after in dice.sample(able, min(len(able), dice.choice((1, 2)))):
        word = word[0] + word[1:].replace(before, after, 1)
    return word


def accented(word: str, _: Dice) -> str:
    return "".join(letter + ("\u0301" if letter in "aeou" else "") for letter in word)


def lookalike(word: str, _: Dice) -> str:
    return word.translate(str.maketrans("aeopcxy", "\u0430\u0435\u043e\u0440\u0441\u0445\u0443"))


def invisible(word: str, dice: Dice) -> str:
    at = dice.randrange(1, len(word))
    return word[:at] + "\u200b" + word[at:]


def broken(word: str, dice: Dice) -> str:
    at = dice.randrange(2, len(word) - 1) if len(word) > 3 else len(word)
    return f"{word[:at]}-\n{word[at:]}" if at < len(word) else word


def nickname(who: Person, dice: Dice) -> str:
    shorts = lexicon().short_for.get(unicodedata.normalize("NFKD", who.given.lower()), ())
    return f"{dice.choice(shorts).title()} {who.surname}" if shorts else full(who, dice)


def each_word(change: Callable[[str, Dice], str]) -> Callable[[Person, Dice], str]:
    """A change of every word of a name, or of one of the two."""

    def made(who: Person, dice: Dice) -> str:
        first, last = who.given, who.surname
        return f"{change(first, dice)} {change(last, dice)}"

    return made


EXACT: dict[str, Callable[[Person, Dice], str]] = {
    "full name": full,
    "given name": lambda who, _: who.given,
    "surname": lambda who, _: who.surname,
    "last, first": lambda who, _: f"{who.surname}, {who.given}",
    "record number": lambda who, _: who.mrn,
    "phone": lambda who, _: who.phone,
    "birth date": lambda who, _: who.born.isoformat(),
    "street": lambda who, _: f"{who.house} {who.street} Street",
    "town": lambda who, _: who.town,
}
"""Each identifier as the structured record has it."""

MUTATED: dict[str, Callable[[Person, Dice], str]] = {
    "capitals": lambda who, dice: full(who, dice).upper(),
    "lower case": lambda who, dice: full(who, dice).lower(),
    "swapped": lambda who, _: f"{who.surname} {who.given}",
    "accents": each_word(accented),
    "one edit": each_word(typo),
    "OCR": each_word(misread),
    "look-alikes": each_word(lookalike),
    "invisible": each_word(invisible),
    "broken": each_word(broken),
    "nickname": nickname,
    "initial": lambda who, _: f"{who.given[0]}. {who.surname}",
    "possessive": lambda who, _: f"{who.given}'s",
    "run together": lambda who, _: f"{who.given}{who.surname}".lower(),
    "record number in groups": lambda who, _: f"{who.mrn[:2]}-{who.mrn[2:5]}-{who.mrn[5:]}",
    "record number with one digit wrong": lambda who, dice: _wrong(who.mrn, dice),
    "record number misread": lambda who, _: who.mrn.replace("0", "O").replace("1", "l"),
    "phone in dots": lambda who, _: who.phone.replace("-", "."),
    "phone bare": lambda who, _: who.phone.replace("-", ""),
    "phone in brackets": lambda who, _: f"({who.phone[:3]}) {who.phone[4:]}",
    "date American": lambda who, _: f"{who.born:%m/%d/%Y}",
    "date short": lambda who, _: f"{who.born.month}/{who.born.day}/{who.born:%y}",
    "date in words": lambda who, _: f"{who.born:%B} {who.born.day}, {who.born.year}",
    "date European": lambda who, _: f"{who.born.day} {who.born:%b %Y}",
    "date without signs": lambda who, _: f"{who.born:%Y%m%d}",
    "date misread": lambda who, _: f"{who.born:%m/%d/%Y}".replace("0", "O").replace("1", "l"),
    "street short": lambda who, _: f"{who.house} {who.street} St",
    "street in capitals": lambda who, _: f"{who.house} {who.street} STREET".upper(),
    "town with one edit": lambda who, dice: typo(who.town, dice),
}
"""The same identifiers, garbled."""


def _wrong(number: str, dice: Dice) -> str:
    at = dice.randrange(len(number))
    return number[:at] + str((int(number[at]) + dice.randint(1, 9)) % 10) + number[at + 1 :]


def planted(note: str, mention: str, dice: Dice) -> tuple[str, int, int]:
    """The note with a mention between two of its words, and where it is."""
    gaps = [at for at, letter in enumerate(note) if letter == " "] or [len(note)]
    at = dice.choice(gaps)
    return f"{note[:at]} {mention} {note[at:].lstrip(' ')}", at + 1, at + 1 + len(mention)


def covered(text: str, start: int, end: int, spans: object) -> bool:
    """Whether every letter and digit of a stretch is in some span; a possessive need not be."""
    end -= 2 * text[start:end].endswith("'s")
    hidden = {at for span in spans for at in range(span.start, span.end)}  # type: ignore[attr-defined]
    return all(at in hidden for at in range(start, end) if text[at].isalnum())
