"""Canonical JSON is RFC 8785, to the byte: held against the rfc8785 package, which judges it."""

from typing import Any

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vitrail import wire
from vitrail.errors import WireError

leaves = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(st.characters())
data = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)


@settings(max_examples=200)
@given(data)
@example({"\U0001f600": 1, "\ufffd": 2})  # in UTF-16 the first comes first
@example([1e15, 1e16, 1e21, 1e-4, 9e-5, 1e-7, -0.0, 0.1, 5.0, 2.0**53, 1.5e300])
@example([2**53 - 1, 1 - 2**53, '\x00\x1f\x7f\u2028"/\\', True, (1, 2)])
def test_it_is_what_the_judge_says(given: Any) -> None:
    try:
        expected = rfc8785.dumps(given)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        with pytest.raises(WireError):
            wire.canonical(given)
    else:
        assert wire.canonical(given) == expected


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 2**53, {1: 2}, {"a": {3}}, "\ud800", b"bytes"])
def test_what_has_no_canonical_form_is_refused(bad: Any) -> None:
    with pytest.raises(WireError):
        wire.canonical({"a": bad} if not isinstance(bad, dict) else bad)
