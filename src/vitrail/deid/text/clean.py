"""A note in, a note without identifiers out: the levers in order, then surrogates, then the residual scan."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from multiprocessing import get_context, parent_process
from threading import Thread

from vitrail.deid.text.dates import find_relative
from vitrail.deid.text.dictionaries import Dictionaries, find_by_dictionary, shipped
from vitrail.deid.text.folding import Mapped, folded
from vitrail.deid.text.known import find_known, matcher
from vitrail.deid.text.lexicon import lexicon
from vitrail.deid.text.page import Page, page
from vitrail.deid.text.plain import plain
from vitrail.deid.text.residual import residual
from vitrail.deid.text.rules import find_by_rules
from vitrail.deid.text.spans import Cleaned, Known, Span, joined, merged
from vitrail.deid.text.surrogates import Draw, surrogate
from vitrail.deid.text.tagger import find_by_tagger, shipped_tagger
from vitrail.errors import VitrailError

LEVERS = ("known", "dictionaries", "rules", "tagger")

LONGEST = 1_000_000
"""Characters of a note. A longer one is no note but a file, and is withheld unread, so that no note takes long."""

TOO_LONG = f"the note is longer than {LONGEST:,} characters"


@dataclass(frozen=True)
class Cleaner:
    """Cleans notes. It can be pickled and used in several processes at once.

    ``key`` draws the surrogates: a sub-key of the site's secret, for this purpose alone. ``lists`` are a site's
    dictionaries. ``levers`` that are left out are for measurements and attacks; a site uses all.
    """

    key: bytes
    lists: Dictionaries = field(default_factory=shipped)
    tagger: bool = True
    levers: tuple[str, ...] = LEVERS

    def clean(self, text: str, known: Known | None, person: int | str, shift: int | None) -> Cleaned:
        """The note without its identifiers; dates moved by ``shift`` days, or marked where there is no shift.

        The same text, key, person and shift give the same result. Spans refer to ``text`` as it was given.
        """
        if len(text) > LONGEST:
            return Cleaned("", (), TOO_LONG)
        readable = plain(text)
        narrow = folded(readable.text)
        sight = page(narrow.text)
        seen = joined(merged(self._found(sight, known)), narrow.text)
        if "rules" in self.levers:
            seen = merged([*seen, *find_relative(narrow.text, seen)])
        found = [_back(span, narrow) for span in seen]
        draw = Draw(self.key, str(person), _known_parts(known) if known else ())
        reason = residual(readable.text, found, known, lexicon().common)
        instead = [surrogate(narrow.text[span.start : span.end], span.category, draw, shift) for span in seen]
        cleaned = _replaced(readable.text, found, instead)
        return Cleaned(cleaned, tuple(_back(span, readable) for span in found), reason)

    def _found(self, sight: Page, known: Known | None) -> Iterator[Span]:
        if known is not None and "known" in self.levers:
            yield from find_known(sight, _matcher(known))
        if "dictionaries" in self.levers:
            yield from find_by_dictionary(sight, self.lists)
        if "rules" in self.levers:
            yield from find_by_rules(sight)
        if self.tagger and "tagger" in self.levers:
            yield from find_by_tagger(sight, shipped_tagger())


_matcher = lru_cache(maxsize=512)(matcher)


@lru_cache(maxsize=512)
def _known_parts(known: Known) -> tuple[str, ...]:
    """The words of the person's own names, longest first."""
    words = {word for name in known.names for word in page(folded(name).text).words if word.isalpha()}
    return tuple(sorted(words, key=lambda word: (-len(word), word)))


def _back(span: Span, mapped: Mapped) -> Span:
    start, end = mapped.back(span.start, span.end)
    return span if (start, end) == (span.start, span.end) else Span(start, end, span.category, span.method)


def _replaced(text: str, spans: Iterable[Span], instead: Iterable[str]) -> str:
    out, at = [], 0
    for span, new in zip(spans, instead, strict=True):
        out += [text[at : span.start], new]
        at = span.end
    return "".join([*out, text[at:]])


@dataclass(frozen=True)
class Job:
    """One note to clean, with what :meth:`Cleaner.clean` needs."""

    text: str
    person: int | str
    known: Known | None = None
    shift: int | None = None


def clean_all(cleaner: Cleaner, jobs: Iterable[Job], processes: int = 1, batch: int = 64) -> Iterator[Cleaned]:
    """Clean notes in their order, in worker processes where more than one is asked for.

    Only a few batches are in memory at once, however many notes there are. Raises VitrailError where one is killed.
    The workers end with the process that started them, whatever ends it.
    """
    coming = iter(jobs)
    if processes < 2:
        yield from (_done(cleaner, job) for job in coming)
        return
    # Fresh processes: a fork of one that has threads, as a database has, may never wake up.
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_end_with_parent)
    try:
        waiting = deque(pool.submit(_batch, cleaner, group) for group in islice(_groups(coming, batch), 2 * processes))
        while waiting:
            yield from waiting.popleft().result()
            waiting.extend(pool.submit(_batch, cleaner, group) for group in islice(_groups(coming, batch), 1))
    except BrokenProcessPool as error:
        raise VitrailError(
            "A process that cleans notes was killed.", "See that there is memory enough, and run it again."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """Ends this worker when its parent is gone: a worker holds both ends of its queue and would wait for ever."""
    Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _groups(jobs: Iterator[Job], size: int) -> Iterator[list[Job]]:
    while group := list(islice(jobs, size)):
        yield group


def _batch(cleaner: Cleaner, jobs: list[Job]) -> list[Cleaned]:
    return [_done(cleaner, job) for job in jobs]


def _done(cleaner: Cleaner, job: Job) -> Cleaned:
    return cleaner.clean(job.text, job.known, job.person, job.shift)
