"""The labels of the steps of a cohort's attrition, in their order; between the last two stand the rules, by name.

A step that a cohort does not speak of is left out: ``KEPT`` where ``keep`` is ``every``, ``ALSO``, ``QUALIFIED``, the
rules, ``LIMITED`` where ``limit`` is ``every``, and ``ENDED`` where nobody can be lost (:func:`loses_at_the_end`).
"""

from collections.abc import Mapping

from vitrail.study.cohort import Cohort

ENTERED = "entry events"
OBSERVED = "observed"
"""Entry events with the observation time that they need."""
KEPT: Mapping[str, str] = {
    "first": "first event",
    "last": "last event",
    "first_of_each_year": "first event of each year",
}
ALSO = "also"
QUALIFIED: Mapping[str, str] = {"first": "qualified: first event", "last": "qualified: last event"}
LIMITED: Mapping[str, str] = {"first": "limited to the first", "last": "limited to the last"}
ENDED = "time in the cohort"


def loses_at_the_end(cohort: Cohort) -> bool:
    """Whether an event may be left without a row: its end may lie before its start, or ``clip`` cut it away."""
    days = cohort.exit.days_after_start
    return cohort.clip is not None or cohort.exit.days_after_end is not None or (days is not None and days < 0)
