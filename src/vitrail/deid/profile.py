"""The profiles of deidentification, and which of them this version can do."""

from typing import Literal

from vitrail.errors import SourceError

Profile = Literal["already-deidentified"]

LATER = ("safe-harbor", "expert-determination")
"""Profiles that cannot be done yet: a load under them is refused, never approximated."""


def usable(profile: str) -> Profile:
    """The profile of that name. Raises SourceError where this version cannot do it."""
    if profile == "already-deidentified":
        return "already-deidentified"
    if profile in LATER:
        raise SourceError(
            f"This version cannot yet deidentify by the profile {profile}.",
            "Deidentify the source before, and load it as already-deidentified.",
        )
    raise SourceError("There is no such profile of deidentification.", "Name already-deidentified.")
