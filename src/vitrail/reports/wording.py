"""Numbers as people read them. A suppressed number stays the word ``suppressed``."""

import math
import unicodedata
from collections.abc import Sequence

from vitrail.study.release import SUPPRESSED, Count, Number

NONE = "–"
GAP = "\u00a0"  # a space at which no line breaks
CI = f"95{GAP}%{GAP}CI"
_JOINERS = "\u200c\u200d"  # needed to spell words in several scripts


def visible(text: str) -> str:
    """``text`` with unseen control and direction characters written out, so that it says what it seems to say."""
    return "".join(f"⟨U+{ord(each):04X}⟩" if _hides(each) else each for each in text)


def _hides(character: str) -> bool:
    return character not in "\n\t" + _JOINERS and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co")


def whole(value: Count) -> str:
    """A count with thousands separated."""
    return SUPPRESSED if value == SUPPRESSED else f"{value:,}"


def decimal(value: Number | None, places: int = 2) -> str:
    """A number with so many decimals; a dash where there is none."""
    if value is None or value == SUPPRESSED:
        return NONE if value is None else SUPPRESSED
    return f"{value:z,.{places}f}".replace("-", "−")


def significant(value: float) -> str:
    """A number with three significant digits, never in scientific notation within reason."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(places, 6)}f}".replace("-", "−")


def percent(share: float | None, places: int = 1) -> str:
    """A share of 1 as a percentage."""
    return NONE if share is None else f"{100 * share:.{places}f}{GAP}%"


def level(share: float) -> str:
    """A share that somebody chose, as they wrote it: ``10 %``."""
    return f"{round(100 * share, 6):g}{GAP}%"


def span(low: str, high: str) -> str:
    """Both ends of something, on one line."""
    return f"{low}{GAP}to{GAP}{high}"


def interval(low: float, high: float, places: int = 2) -> str:
    """Both ends of an interval."""
    return span(decimal(low, places), decimal(high, places))


def with_interval(value: Number | None, low: Number | None, high: Number | None, places: int = 2) -> str:
    """A number and its interval: ``0.78 (0.75 to 0.81)``."""
    if value is None or value == SUPPRESSED:
        return decimal(value, places)
    if low is None or high is None or low == SUPPRESSED or high == SUPPRESSED:
        return decimal(value, places)
    return f"{decimal(value, places)} ({interval(low, high, places)})"


def share_of(part: Count, of: Count) -> float | None:
    """``part`` over ``of``; None where either is suppressed or ``of`` is 0."""
    if part == SUPPRESSED or of == SUPPRESSED or of == 0:
        return None
    return part / of


def counted(part: Count, of: Count) -> str:
    """A count and its share: ``1,230 (12.3 %)``."""
    share = share_of(part, of)
    return whole(part) if share is None else f"{whole(part)} ({percent(share)})"


def plural(number: int, one: str, many: str = "") -> str:
    """``1 site``, ``2 sites``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def quoted(name: str) -> str:
    """A name that somebody gave, set apart from the words around it."""
    return f"“{visible(name)}”"
