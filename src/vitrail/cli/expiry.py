"""The last day of what a steward signs."""

from datetime import UTC, date, datetime, timedelta

from vitrail.errors import NodeError


def today() -> date:
    """The day by which what was signed expires (UTC)."""
    return datetime.now(UTC).date()


def last_day(expires: str | None, days: int) -> date:
    """The day that ``--expires`` names, else so many days from today. Raises NodeError where it is no day."""
    try:
        return date.fromisoformat(expires) if expires else today() + timedelta(days=days)
    except ValueError as error:
        raise NodeError("The day of --expires cannot be read.", "Write it as 2030-12-31.") from error
