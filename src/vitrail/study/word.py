"""What every frozen word of a study has in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
"""A content hash as :func:`vitrail.wire.digest` writes it."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.,:()/+%<>=≥≤'-]{0,79}$")]
"""What people call a cohort, a concept set, a covariate or an analysis: at most 80 plain characters."""

SiteName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
"""A site's name: lower case letters, digits and hyphens."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000, strip_whitespace=True)]
"""Prose for people."""


class Word(BaseModel):
    """Frozen, strict, complete: an unknown field is an error, and so are NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True, hide_input_in_errors=True)
