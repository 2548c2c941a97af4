"""Erasure: a steward's signed word that persons who opted out are in no snapshot any more."""

from typing import Literal

from vitrail.study.word import Digest, SiteName, Word

ERASURE = "erasure"
"""The kind of its envelope, which the site's steward signs."""


class Erasure(Word):
    """Persons were taken out of the snapshot ``before``, which left ``after``; the snapshots ``destroyed`` are gone.

    Where nothing was loaded yet, there is neither: later loads leave the persons out.
    It says how many there were, never who: that stands in the site's encrypted crosswalk alone.
    """

    vitrail: Literal["erasure/1"] = "erasure/1"
    site: SiteName
    persons: int
    destroyed: tuple[str, ...]
    before: Digest | None = None
    after: Digest | None = None
