"""Model updates: a round of an iterative fit is a family of its own, because it is exact.

What it reveals, and so what is checked. At coefficients of zero every weight is 1/4, so 4 X'WX = X'X: its first row
counts the rows with each binary covariate, its other entries the rows with both of two. X'(y - 1/2) then counts
the events with each. An update is therefore these contingency tables, unrounded, and is checked as they are: every
level, every level by outcome, every pair of levels, and the reference level of one-hot groups. Where all columns are
binary, rounds at different coefficients weigh the joint patterns differently, so that two or three rounds solve for
all of them: then the patterns are checked too.

At other coefficients rows count by their weight. Coefficients so extreme that the weights of all rows but one vanish
would make X'WX that row's own product; the effective weight and the largest share stop that, also where a hub and a
member that signs invented updates choose the coefficients together. The numbers released in R rounds are R p(p+3)/2 of
about n(p+1) unknown values; p <= n/20 keeps them fewer up to 40 rounds.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vitrail.disclosure.bundle import Bundle
from vitrail.disclosure.partitions import Key, Part, Partition
from vitrail.disclosure.policy import Policy
from vitrail.disclosure.result import RawModelUpdate
from vitrail.errors import Refusal
from vitrail.study.release import ModelUpdate, Release

Columns = NDArray[np.bool_]

NAMED_AT_MOST = 5
"""How many columns a refusal names."""

SEARCHED_AT_MOST = 100_000
"""How many columns are looked at in search of groups of them before an update is refused for having too many."""


def _keys(place: int) -> tuple[Key, Key]:
    return ("update rows", place), ("update events", place)


def partitions(place: int, raw: RawModelUpdate) -> list[Partition]:
    """Rows are with or without an event; a person may have both."""
    rows, events = _keys(place)
    without = Part(
        ("update without", place), max(raw.rows.persons - raw.events.persons, 0), raw.rows.count - raw.events.count
    )
    return [
        Partition(
            whole=Part(rows, raw.rows.persons, raw.rows.count),
            parts=(Part(events, raw.events.persons, raw.events.count), without),
            disjoint=False,
        )
    ]


def released(place: int, raw: RawModelUpdate, bundle: Bundle) -> ModelUpdate:
    """The update, exact, or a Refusal: numbers that depend on each other cannot be suppressed one by one."""
    _check_finite(raw)
    if not bundle.policy.public_data_only:
        _check_rounds(bundle)
        _check_support(raw, bundle.policy)
    rows, events = _keys(place)
    upper = raw.information[np.triu_indices(len(raw.columns))]
    return ModelUpdate(
        fit=raw.fit,
        rows=bundle.count(rows, raw.rows.count),
        events=bundle.count(events, raw.events.count),
        log_likelihood=float(raw.log_likelihood),
        gradient=tuple(float(each) for each in raw.gradient),
        information=tuple(float(each) for each in upper),
    )


def _check_finite(raw: RawModelUpdate) -> None:
    p = len(raw.columns)
    if raw.gradient.shape != (p,) or raw.information.shape != (p, p):
        raise Refusal("cannot_compute", "A model update has not its columns' shape.", "Report a fault in the analysis.")
    if not all(np.isfinite(each).all() for each in (raw.gradient, raw.information, np.array(raw.log_likelihood))):
        raise Refusal("cannot_compute", "A model update is not finite.", "Leave out columns that separate the outcome.")


def _check_rounds(bundle: Bundle) -> None:
    """Refuse where the rounds answered before, or their numbers with this round's, are all that the policy allows."""
    policy = bundle.policy
    answered = [updates for release in bundle.earlier if (updates := _updates(release))]
    if len(answered) >= policy.max_rounds:
        raise Refusal(
            "too_many_rounds",
            f"The analysis was answered {policy.max_rounds} times, which is all that the policy allows.",
            "Ask for a looser tolerance or fewer columns.",
        )
    before = [len(update.gradient) for updates in answered for update in updates]
    now = [len(raw.columns) for raw in bundle.estimates if isinstance(raw, RawModelUpdate)]
    if sum(_numbers(p) for p in (*before, *now)) > policy.max_numbers:
        raise Refusal(
            "too_many_rounds",
            f"The model updates of the analysis would hold more than {policy.max_numbers} numbers.",
            "Ask for fewer columns or fewer fits.",
        )


def _updates(release: Release) -> Sequence[ModelUpdate]:
    return [estimate for estimate in release.estimates if isinstance(estimate, ModelUpdate)]


def _numbers(p: int) -> int:
    """Gradient, upper triangle and log likelihood."""
    return p + p * (p + 1) // 2 + 1


def _check_support(raw: RawModelUpdate, policy: Policy) -> None:
    """Refuse with every reason at once, and with what would pass where it is simple to say."""
    levels = _thin_levels(raw, policy)
    pairs = _thin_pairs(raw, policy) & ~levels
    if not levels.any():  # else it is refused already, and columns that few people have make groups without number
        pairs |= _thin_groups(raw, policy)
    reasons = list(_small(raw, policy))
    if levels.any():
        reasons.append(f"{_names(raw, levels)}: fewer than {policy.k} people at a level, or at one by outcome")
    if pairs.any():
        reasons.append(f"{_names(raw, pairs)}: fewer than {policy.k} people with some levels together")
    if reasons:
        what = f"The model update of “{raw.fit}” was refused: {'; '.join(reasons)}."
        raise Refusal("disclosure", what, _variant(raw, levels | pairs, policy))


def _names(raw: RawModelUpdate, columns: Columns) -> str:
    names = [raw.columns[place] for place in np.flatnonzero(columns)]
    more = f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
    return ", ".join(names[:NAMED_AT_MOST]) + more


def _variant(raw: RawModelUpdate, thin: Columns, policy: Policy) -> str:
    """What to ask instead."""
    fitting = min(raw.rows.persons // policy.persons_per_parameter, raw.rows.persons - policy.residual_dof)
    parts = [f"Leave out or merge {_names(raw, thin)}"] if thin.any() else []
    if 1 < fitting < len(raw.columns):
        parts.append(f"keep at most {fitting} columns with the intercept")
    parts.append("or let this site only validate")
    text = ", ".join(parts)
    return f"{text[0].upper()}{text[1:]}.".replace("Or let", "Let")


def _small(raw: RawModelUpdate, policy: Policy) -> Iterator[str]:
    """Why there are too few people for the model as a whole."""
    p, people = len(raw.columns), raw.rows.persons
    if people < policy.persons_per_parameter * p:
        yield f"{p} columns need {policy.persons_per_parameter * p} people, and there are fewer"
    if people - p < policy.residual_dof:
        yield f"fewer than {policy.residual_dof} residual degrees of freedom"
    without = max(people - raw.events.persons, int(raw.level_persons[:, :, 0].max(initial=0)))
    if min(raw.events.persons, without) < policy.k:
        yield f"fewer than {policy.k} people with the outcome, or without"
    if not raw.effective_weight >= policy.effective_weight_per_parameter * p:
        yield f"at these coefficients the rows weigh as fewer than {policy.effective_weight_per_parameter * p}"
    if not raw.largest_share <= policy.largest_share:
        yield f"one person is more than {policy.largest_share:.0%} of a sum"
    if np.sum(raw.binary) == p - 1 >= 3 and raw.rarest_pattern < policy.k:
        yield f"all columns are binary, and fewer than {policy.k} people share some joint pattern of them"


def _thin_levels(raw: RawModelUpdate, policy: Policy) -> Columns:
    """Binary columns one of whose levels has too few people, or has by outcome."""
    cells = raw.level_persons
    people = cells.max(axis=2, keepdims=True)  # at least so many have the level
    none = (cells == 0) & (people < policy.class_minimum)
    thin = (people < policy.k) | ((cells > 0) & (cells < policy.k)) | none
    return np.asarray(thin.any(axis=(1, 2)) & raw.binary)


def _thin_pairs(raw: RawModelUpdate, policy: Policy) -> Columns:
    """Binary columns that share a level with another's in too few people; in nobody, as in one-hot groups, they may."""
    cells = raw.pair_persons
    thin = (cells > 0) & (cells < policy.k)
    if raw.rows.persons < policy.class_minimum:
        thin |= cells == 0
    both = raw.binary[:, None] & raw.binary[None, :] & ~np.eye(len(raw.binary), dtype=bool)
    return np.asarray((thin.any(axis=(2, 3)) & both).any(axis=1))


def _thin_groups(raw: RawModelUpdate, policy: Policy) -> Columns:
    """Columns of one-hot groups whose reference level has too few people.

    No pair of columns shows the reference level of three or more that exclude each other, but n less their counts does.
    Raises Refusal where there are too many groups to look at each.
    """
    search = _Search(raw)
    complete = search.run(np.flatnonzero(raw.binary).tolist(), raw.rows.persons - policy.k)
    if not complete and not search.found.any():
        raise Refusal(
            "disclosure",
            f"The model update of “{raw.fit}” was refused: too many groups of its binary columns exclude each other to"
            " judge them all.",
            "Leave out or merge binary columns that nobody shares with others, or let this site only validate.",
        )
    return search.found


class _Search:
    """The search for groups of three or more columns, each excluding the others, that leave fewer than k people.

    Such groups can be exponentially many, so only so much is looked at.
    """

    def __init__(self, raw: RawModelUpdate) -> None:
        self.found: Columns = np.zeros(len(raw.columns), dtype=bool)
        self._having: list[int] = raw.level_persons[:, 1].sum(axis=1).tolist()  # at most: some have either outcome
        excluding = (raw.pair_persons[:, :, 1, 1] == 0).tolist()
        self._excluding = [sum(1 << other for other, each in enumerate(row) if each) for row in excluding]
        self._left = SEARCHED_AT_MOST

    def run(self, columns: Sequence[int], room: int) -> bool:
        """Look at the groups of ``columns`` of more people than there is ``room`` for; False where given up."""
        waiting: list[tuple[tuple[int, ...], Sequence[int], int]] = [((), columns, room)]
        while waiting:
            chosen, candidates, room = waiting.pop()
            if room < 0 and len(chosen) >= 3:
                self.found[list(chosen)] = True
                continue
            self._left -= len(candidates)
            if self._left < 0:
                return False
            if candidates and room < self._most(candidates, room):
                first, *others = candidates
                beside = [other for other in others if self._excluding[first] >> other & 1]
                waiting += [(chosen, others, room), ((*chosen, first), beside, room - self._having[first])]
        return True

    def _most(self, candidates: Sequence[int], room: int) -> int:
        """At least the people that a group of ``candidates`` can have: of columns that share people, it has one.

        Where all together have no more than there is ``room`` for, it is their sum.
        """
        if (together := sum(self._having[each] for each in candidates)) <= room:
            return together
        sharing: list[int] = []
        most = 0
        for column in sorted(candidates, key=lambda each: -self._having[each]):
            place = next((at for at, columns in enumerate(sharing) if not columns & self._excluding[column]), None)
            if place is None:
                sharing.append(1 << column)
                most += self._having[column]
            else:
                sharing[place] |= 1 << column
        return most
