"""What every frozen word of a study has in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
"""A content hash as :func:`vitrail.wire.digest` writes it."""

Name = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.,:()/+%<>=≥≤'-]{0,79}$"),
    Field(description="a name: at most 80 letters, digits, spaces and signs, beginning with a letter or digit"),
]
"""What people call a cohort, a concept set, a covariate or an analysis: at most 80 plain characters."""

SiteName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$"),
    Field(description="a site's name: at most 40 lower case letters, digits and hyphens"),
]
"""A site's name: lower case letters, digits and hyphens."""

Text = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=20_000,
        strip_whitespace=True,
        pattern=r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$",
    ),
    Field(description="text of 1 to 20,000 characters, without control characters"),
]
"""Prose for people. No control characters but tab and line feed, and none that turn the direction of reading: a
steward who is shown a text must see what it says."""

Title = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=200,
        strip_whitespace=True,
        pattern=r"^[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$",
    ),
    Field(description="one line of 1 to 200 characters, without control characters"),
]
"""One line of prose, as plain as :data:`Text`."""

Part = tuple[str | int, ...]
"""The way to a part of a word: field names, keys and indices."""


class Word(BaseModel):
    """Frozen, strict, complete: an unknown field is an error, and so are NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True, hide_input_in_errors=True)


class PartError(ValueError):
    """Problems that a word finds in its parts: the way to each, and a constant text.

    The text says what is wrong and, after a semicolon, what to write instead.
    """

    def __init__(self, problems: tuple[tuple[Part, str], ...]) -> None:
        super().__init__(problems[0][1])
        self.problems = problems
