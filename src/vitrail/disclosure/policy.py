"""Policies: how careful a site's gate is, in plain numbers that a privacy officer can read and sign."""

import math
from typing import Annotated

from pydantic import ConfigDict, Field

from vitrail import wire
from vitrail.errors import PolicyError
from vitrail.study.word import Digest, Name, Word


class Policy(Word):
    """The limits that every Release of a site keeps. Its identity is the SHA-256 of its canonical JSON."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: Name
    """What people call it."""
    public_data_only: bool
    """It guards nothing, so it loads only where the snapshot's manifest says that its data are public."""
    k: Annotated[int, Field(ge=1)]
    """A count of fewer people than this (and more than none) never leaves, nor can it be derived."""
    rounding: Annotated[int, Field(ge=1)]
    """Counts are printed to the nearest multiple of this."""
    class_minimum: Annotated[int, Field(ge=0)]
    """A true zero tells something of everyone in its table, so it is printed only where they are this many people."""
    persons_per_parameter: Annotated[int, Field(ge=0)]
    """A fitted model has at least this many people for each of its columns."""
    effective_weight_per_parameter: Annotated[int, Field(ge=0)]
    """A model update weighs its rows so evenly that they count as at least this many for each column (Kish)."""
    residual_dof: Annotated[int, Field(ge=0)]
    """A fitted model has at least this many more people than columns."""
    largest_share: Annotated[float, Field(gt=0, le=1)]
    """No person contributes more than this share of any sum that is released."""
    max_rounds: Annotated[int, Field(ge=1)]
    """An iterative fit is answered at most this many times."""
    max_numbers: Annotated[int, Field(ge=1)]
    """All model updates of one analysis hold at most this many numbers together."""
    digits: Annotated[int, Field(ge=1)] | None = None
    """Significant digits of a mean, a standard deviation, person-years, a risk or a rate; exact where not given."""
    decimals: Annotated[int, Field(ge=1)] | None = None
    """Decimals of an AUROC, a calibration figure, a sensitivity; exact where not given."""

    @property
    def id(self) -> Digest:
        """The content hash of the policy's canonical JSON."""
        return wire.digest_of(self.model_dump(mode="json", exclude_none=True))

    @property
    def threshold(self) -> int:
        """The smallest number of people whose count prints.

        The smallest n >= k of which every number that prints as n does is at least k: with k = 11 and rounding 5, 11
        and 12 print as 10, as 8 does, so it is 13.
        """
        safe = self.k
        while math.ceil(self.rounded(safe) - self.rounding / 2) < self.k:
            safe += 1
        return safe

    def rounded(self, count: int) -> int:
        """``count`` to the nearest multiple of ``rounding``, halves up."""
        return (2 * count + self.rounding) // (2 * self.rounding) * self.rounding

    def to_digits(self, value: float) -> float:
        """``value`` to ``digits`` significant digits."""
        return value if self.digits is None else float(f"{value:.{self.digits - 1}e}")

    def to_decimals(self, value: float) -> float:
        """``value`` to ``decimals`` decimals; never minus zero."""
        return value if self.decimals is None else round(value, self.decimals) + 0.0


DEFAULT = Policy(
    name="default",
    public_data_only=False,
    k=11,
    rounding=5,
    class_minimum=100,
    persons_per_parameter=20,
    effective_weight_per_parameter=20,
    residual_dof=10,
    largest_share=0.25,
    max_rounds=30,
    max_numbers=50_000,
    digits=3,
    decimals=3,
)
"""The policy of a site that says nothing else, and the least that any site with private data may have."""

PUBLIC_DATA = Policy(
    name="public-data",
    public_data_only=True,
    k=1,
    rounding=1,
    class_minimum=0,
    persons_per_parameter=0,
    effective_weight_per_parameter=0,
    residual_dof=0,
    largest_share=1.0,
    max_rounds=1_000,
    max_numbers=10_000_000,
)
"""No limits: for data that anybody may have."""

_AT_LEAST = (
    "k",
    "rounding",
    "class_minimum",
    "persons_per_parameter",
    "effective_weight_per_parameter",
    "residual_dof",
)
_AT_MOST = ("largest_share", "max_rounds", "max_numbers", "digits", "decimals")


def named(name: str) -> Policy:
    """The policy called ``name``. Raises PolicyError where there is none."""
    for policy in (DEFAULT, PUBLIC_DATA):
        if policy.name == name:
            return policy
    raise PolicyError("There is no policy of that name.", "Name `default` or `public-data`.")


def fits(policy: Policy, public: bool) -> None:
    """Raise PolicyError unless ``policy`` may guard a snapshot whose data are ``public``, or are not.

    Private data need a policy that is nowhere weaker than :data:`DEFAULT`.
    """
    if public:
        return
    if policy.public_data_only:
        raise PolicyError(
            f"The policy {policy.name} is for public data, and the snapshot's manifest does not say that its are.",
            "Use the policy `default`.",
        )
    weaker = [name for name in (*_AT_LEAST, *_AT_MOST) if _weaker(policy, name)]
    if weaker:
        raise PolicyError(
            f"The policy {policy.name} is weaker than `default` in {', '.join(weaker)}.",
            "Set each to what `default` has, or stricter.",
        )


def _weaker(policy: Policy, name: str) -> bool:
    own, least = getattr(policy, name), getattr(DEFAULT, name)
    if name in _AT_LEAST:
        return bool(own < least)
    return own is None or bool(own > least)
