"""Policies: what they say, and which data they may guard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vitrail.disclosure.policy import DEFAULT, PUBLIC_DATA, Policy, fits, named
from vitrail.errors import PolicyError


def test_the_default_suppresses_below_thirteen_and_prints_from_fifteen() -> None:
    assert (DEFAULT.k, DEFAULT.rounding, DEFAULT.threshold) == (11, 5, 13)
    assert [DEFAULT.rounded(each) for each in (0, 11, 12, 13, 17, 18)] == [0, 10, 10, 15, 15, 20]


@given(st.integers(1, 60), st.integers(1, 30))
def test_whatever_prints_like_a_count_from_the_threshold_on_is_at_least_k(k: int, rounding: int) -> None:
    policy = DEFAULT.model_copy(update={"k": k, "rounding": rounding})
    assert k <= policy.threshold < k + rounding
    for count in range(policy.threshold, policy.threshold + 2 * rounding):
        assert all(policy.rounded(small) != policy.rounded(count) for small in range(k))
    below = policy.threshold - 1
    assert below < k or any(policy.rounded(small) == policy.rounded(below) for small in range(k))


@given(st.integers(0, 10**9), st.integers(1, 50))
def test_rounding_moves_a_count_by_at_most_half(count: int, rounding: int) -> None:
    rounded = DEFAULT.model_copy(update={"rounding": rounding}).rounded(count)
    assert rounded % rounding == 0
    assert 2 * abs(rounded - count) <= rounding


def test_public_data_round_nothing() -> None:
    assert PUBLIC_DATA.threshold == 1
    assert [PUBLIC_DATA.rounded(each) for each in range(20)] == list(range(20))
    assert PUBLIC_DATA.to_digits(1 / 3) == PUBLIC_DATA.to_decimals(1 / 3) == 1 / 3


def test_significant_digits_and_decimals() -> None:
    assert [DEFAULT.to_digits(each) for each in (0.0, 1234.5, -0.0012345, 9.999)] == [0.0, 1230.0, -0.00123, 10.0]
    assert str(DEFAULT.to_decimals(-0.0001)) == "0.0"


def test_named_policies() -> None:
    assert named("default") is DEFAULT
    assert named("public-data") is PUBLIC_DATA
    for name in ("", "Default", "none", "public"):
        with pytest.raises(PolicyError):
            named(name)


def test_private_data_are_never_guarded_by_the_policy_for_public_data() -> None:
    fits(PUBLIC_DATA, public=True)
    fits(DEFAULT, public=True)
    fits(DEFAULT, public=False)
    with pytest.raises(PolicyError, match="public data"):
        fits(PUBLIC_DATA, public=False)


WEAKER: dict[str, object] = {
    "k": 10, "rounding": 4, "class_minimum": 99, "persons_per_parameter": 19, "effective_weight_per_parameter": 19,
    "residual_dof": 9, "largest_share": 0.26, "max_rounds": 31, "max_numbers": 50_001, "digits": None, "decimals": 4,
}  # fmt: skip


def test_every_limit_of_a_policy_counts() -> None:
    assert WEAKER.keys() == Policy.model_fields.keys() - {"name", "public_data_only"}
    for name, value in WEAKER.items():
        with pytest.raises(PolicyError, match=name):
            fits(DEFAULT.model_copy(update={"name": "ours", name: value}), public=False)


def test_a_stricter_policy_may_guard_private_data() -> None:
    fits(DEFAULT.model_copy(update={"name": "ours", "k": 20, "largest_share": 0.1, "digits": 2}), public=False)


def test_a_policy_is_known_by_its_content() -> None:
    text = DEFAULT.model_dump_json(exclude_none=True)
    assert Policy.model_validate_json(text).id == DEFAULT.id != PUBLIC_DATA.id
    assert DEFAULT.model_copy(update={"k": 12}).id != DEFAULT.id
    with pytest.raises(ValidationError):
        Policy.model_validate_json(text.replace('"k"', '"k_anonymity"'))


def test_every_number_says_what_it_means() -> None:
    assert all(field.description for field in Policy.model_fields.values())
