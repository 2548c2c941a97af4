"""Person ids are permuted: never two into one, the same at each load, nothing of the order left."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vitrail.deid.keys import PERSON_IDS, permuted, sub_key
from vitrail.deid.profile import usable
from vitrail.errors import NodeError, SourceError

KEY = bytes(range(32))
IDS = st.lists(st.integers(0, 2**62 - 1), unique=True, min_size=1, max_size=200)


@given(IDS)
def test_no_two_become_one(ids: list[int]) -> None:
    found = permuted(KEY, np.array(ids, dtype=np.int64))
    assert len(set(found.tolist())) == len(ids)
    assert found.min() >= 0
    assert found.max() < 2**62


@given(IDS)
def test_the_same_at_each_load_whoever_else_is_there(ids: list[int]) -> None:
    together = permuted(KEY, np.array(ids, dtype=np.int64)).tolist()
    alone = [permuted(KEY, np.array([each], dtype=np.int64)).tolist()[0] for each in ids[:5]]
    assert together[:5] == alone


@settings(max_examples=20)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_another_key_draws_another_permutation(one: bytes, other: bytes) -> None:
    ids = np.arange(1000, dtype=np.int64)
    assert (one == other) == bool((permuted(one, ids) == permuted(other, ids)).all())


def test_nothing_of_the_order_is_left() -> None:
    """Consecutive ids become uniform and unordered; the bounds are passed by chance once in a million keys."""
    ids = np.arange(100_000, dtype=np.int64)
    found = permuted(KEY, ids)
    assert stats.kstest(found / 2**62, "uniform").pvalue > 1e-6
    assert abs(stats.spearmanr(ids, found).statistic) < 5 / np.sqrt(len(ids))
    assert not (np.abs(np.diff(found)) == 1).any()


def test_sub_keys_differ_by_purpose_and_secret(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("ab" * 32 + "\n")
    (tmp_path / "other").write_text("cd" * 32)
    keys = {sub_key(tmp_path / name, purpose) for name in ("one", "other") for purpose in (PERSON_IDS, "shifts")}
    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)


def test_the_derivation_is_pinned(tmp_path: Path) -> None:
    """A change would give every person of every site a new id: that is a new version of the purpose, not an edit."""
    (tmp_path / "secret").write_text("00" * 32)
    key = sub_key(tmp_path / "secret", PERSON_IDS)
    assert permuted(key, np.array([0, 1, 2], dtype=np.int64)).tolist() == [
        2513479530765585880,
        2396027360309753027,
        2106117286337551650,
    ]


@pytest.mark.parametrize("text", ["", "zz" * 32, "ab" * 16])
def test_a_secret_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "secret").write_text(text)
    with pytest.raises(NodeError, match="holds no secret"):
        sub_key(tmp_path / "secret", PERSON_IDS)
    with pytest.raises(NodeError, match="holds no secret"):
        sub_key(tmp_path / "none", PERSON_IDS)


def test_profiles() -> None:
    assert usable("already-deidentified") == "already-deidentified"
    for later in ("safe-harbor", "expert-determination"):
        with pytest.raises(SourceError, match=f"cannot yet deidentify by the profile {later}"):
            usable(later)
    with pytest.raises(SourceError, match="no such profile"):
        usable("none")
