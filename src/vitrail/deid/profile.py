"""The profiles of deidentification: what is done to days, places and rare values.

``safe-harbor``: no calendar date is left, as 45 CFR 164.514(b)(2) asks. Each person's days are counted from one epoch,
on which their observation begins; a part of their first and last year, which only the site's key tells, is cut before.

``expert-determination``: for 45 CFR 164.514(b)(1). Each person's days are moved by whole weeks that only the site's key
tells; what is left of the risk is measured in the proof pack, for an expert to judge. Never call it Safe Harbor.

``already-deidentified``: the source's owner vouches for days and places. Ids, texts and columns are ruled all the same.
"""

from dataclasses import dataclass
from typing import Literal

from vitrail.errors import SourceError

Name = Literal["safe-harbor", "expert-determination", "already-deidentified"]


@dataclass(frozen=True)
class Profile:
    """What a profile does.

    ``days``: ``count`` from an epoch, ``shift`` by whole weeks, ``keep``. ``calendar`` is what is left of it; where
    that is None, what the source says. ``rare``: whether concepts and values that few people share are made less exact.
    """

    name: Name
    days: Literal["count", "shift", "keep"]
    calendar: Literal["none", "shifted"] | None
    rare: bool


PROFILES = (
    Profile("safe-harbor", "count", "none", rare=True),
    Profile("expert-determination", "shift", "shifted", rare=True),
    Profile("already-deidentified", "keep", None, rare=False),
)
"""Every profile."""


def named(name: str) -> Profile:
    """The profile of that name. Raises SourceError."""
    for profile in PROFILES:
        if profile.name == name:
            return profile
    names = ", ".join(profile.name for profile in PROFILES)
    raise SourceError("There is no such profile of deidentification.", f"Name one of {names}.")
