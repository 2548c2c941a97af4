"""What the rules for discrimination, calibration, risk bins and thresholds share: one group of people, two classes."""

from vitrail.disclosure.bundle import Bundle
from vitrail.disclosure.partitions import Key, Part, Partition
from vitrail.disclosure.result import RawCount, RawDiscrimination
from vitrail.errors import Refusal


def positives(group: str) -> Key:
    """The key of a group's index dates with the outcome."""
    return ("positives", group)


def negatives(group: str) -> Key:
    """The key of a group's index dates without the outcome."""
    return ("negatives", group)


def rows(group: str) -> Key:
    """The key of a group's index dates."""
    return ("rows", group)


def classes(raw: RawDiscrimination) -> Partition:
    """A group's two classes. A person may have index dates in both."""
    total = raw.positives.count + raw.negatives.count
    return Partition(
        whole=Part(rows(raw.group), max(raw.positives.persons, raw.negatives.persons), total),
        parts=(
            Part(positives(raw.group), raw.positives.persons, raw.positives.count),
            Part(negatives(raw.group), raw.negatives.persons, raw.negatives.count),
        ),
        disjoint=False,
    )


def check(group: str, with_outcome: int, without: int, bundle: Bundle) -> None:
    """Refuse unless the Release's discrimination of ``group`` has as many index dates of either class.

    It is there that their people are counted, and that it is decided whether the counts may be known.
    """
    found = [each for each in bundle.estimates if isinstance(each, RawDiscrimination) and each.group == group]
    same = all((each.positives.count, each.negatives.count) == (with_outcome, without) for each in found)
    if not found or not same:
        raise Refusal(
            "disclosure",
            "The estimates of one validated group do not agree on who is in it.",
            "Report a fault in the analysis that made them.",
        )


def both_classes(group: str, bundle: Bundle) -> bool:
    """Whether enough people of either class are in the group, so that numbers about it may be printed."""
    keys = positives(group), negatives(group)
    return bundle.known(*keys) and all(bundle.enough(bundle.decision.persons[key]) for key in keys)


def may_be_none(group: str, bundle: Bundle) -> bool:
    """Whether it may be told that a count within the group is of nobody."""
    return bundle.decision.persons[rows(group)] >= bundle.policy.class_minimum


def safe(count: RawCount, none: bool, bundle: Bundle) -> bool:
    """Whether a count may be known by itself; ``none``: whether it may be of nobody."""
    return none if count.count == 0 else bundle.enough(count.persons)
