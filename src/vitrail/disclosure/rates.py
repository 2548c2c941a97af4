"""Rates: events and person-years as printed, and the rate derived from the two."""

from vitrail.disclosure.bundle import Bundle, ratio
from vitrail.disclosure.partitions import Key, Part, Partition
from vitrail.disclosure.result import RawRate
from vitrail.study.release import SUPPRESSED, Rate

DAYS_PER_YEAR = 365.25
PER = 1_000  # person-years


def at_risk(place: int) -> Key:
    """The key of the persons at risk."""
    return ("at risk", place)


def with_event(place: int) -> Key:
    """The key of those with a first event."""
    return ("events", place)


def partitions(place: int, raw: RawRate) -> list[Partition]:
    """Each person at risk has a first event or none; those with one are a part of the cohort too."""
    without = raw.persons - raw.events
    return [
        Partition(
            whole=Part(at_risk(place), raw.persons, raw.persons),
            parts=(
                Part(with_event(place), raw.events, raw.events),
                Part(("without event", place), without, without),
            ),
            disjoint=True,
            alone=True,
        )
    ]


def released(place: int, raw: RawRate, bundle: Bundle) -> Rate:
    """Persons, events and person-years.

    Person-years are suppressed with the persons and with the events.
    """
    events = bundle.count(with_event(place), raw.events)
    years = bundle.digits(raw.days_at_risk / DAYS_PER_YEAR, _time_is_safe(place, bundle))
    return Rate(
        name=raw.name,
        persons=bundle.count(at_risk(place), raw.persons),
        events=events,
        person_years=years,
        rate=ratio(events if events == SUPPRESSED else events * PER, years),
    )


def _time_is_safe(place: int, bundle: Bundle) -> bool:
    """Whether the time at risk may be known.

    Where all are followed for one span, it counts the persons. A person's time ends with the event, so what is lacking
    counts the events.
    """
    return bundle.known(at_risk(place), with_event(place))
