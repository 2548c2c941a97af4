"""Person ids are permuted: never two into one, the same at each load, nothing of the order left."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vitrail.deid.keys import PERSON_ORDER, draws, numbers, permuted, sub_key
from vitrail.deid.profile import PROFILES, named
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


@given(st.lists(st.integers(0, 2**31 - 1), unique=True, min_size=1, max_size=200))
def test_numbers_are_a_permutation_of_31_bits(places: list[int]) -> None:
    found = numbers(KEY, np.array(places, dtype=np.int64))
    assert found.dtype == np.int32
    assert len(set(found.tolist())) == len(places)
    assert found.min() >= 0


def test_numbers_are_uniform_and_unordered() -> None:
    found = numbers(KEY, np.arange(100_000, dtype=np.int64))
    assert len(np.unique(found)) == len(found)
    assert stats.kstest(found / 2**31, "uniform").pvalue > 1e-6
    assert abs(stats.spearmanr(np.arange(len(found)), found).statistic) < 5 / np.sqrt(len(found))


def test_hashes_of_32_bits_would_clash() -> None:
    """The control: why ids are not hashes. Among a million, about 116 pairs share one of 32 bits."""
    hashed = draws(KEY, np.arange(1_000_000, dtype=np.int64)) >> np.uint64(32)
    assert len(np.unique(hashed)) < 1_000_000
    assert len(np.unique(numbers(KEY, np.arange(1_000_000, dtype=np.int64)))) == 1_000_000


@given(IDS)
def test_draws_hang_on_nothing_but_key_and_id(ids: list[int]) -> None:
    together = draws(KEY, np.array(ids, dtype=np.int64))
    assert together[-1:].tolist() == draws(KEY, np.array(ids[-1:], dtype=np.int64)).tolist()
    assert together.tolist() != draws(bytes(32), np.array(ids, dtype=np.int64)).tolist()


def kept(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_sub_keys_differ_by_purpose_and_secret(tmp_path: Path) -> None:
    secrets = [kept(tmp_path / "one", "ab" * 32 + "\n"), kept(tmp_path / "other", "cd" * 32)]
    keys = {sub_key(secret, purpose) for secret in secrets for purpose in (PERSON_ORDER, "shifts")}
    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)


def test_the_derivation_is_pinned(tmp_path: Path) -> None:
    """A change would give every person of every site a new id: that is a new version of the purpose, not an edit."""
    key = sub_key(kept(tmp_path / "secret", "00" * 32), PERSON_ORDER)
    places = np.array([0, 1, 2], dtype=np.int64)
    assert permuted(key, places).tolist() == [2513479530765585880, 2396027360309753027, 2106117286337551650]
    assert numbers(key, places).tolist() == [431045460, 850424875, 706517534]
    assert draws(key, places).tolist() == [17709852716181696698, 13954257270011388161, 11792908817048912176]


@pytest.mark.parametrize("text", ["", "zz" * 32, "ab" * 16])
def test_a_secret_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(NodeError, match="holds no secret"):
        sub_key(kept(tmp_path / "secret", text), PERSON_ORDER)
    with pytest.raises(NodeError, match="holds no secret"):
        sub_key(tmp_path / "none", PERSON_ORDER)


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = kept(tmp_path / "secret", "ab" * 32)
    path.chmod(0o640)
    with pytest.raises(NodeError, match="can be read by others"):
        sub_key(path, PERSON_ORDER)


def test_the_secret_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    want = sub_key(kept(tmp_path / "secret", "ab" * 32), PERSON_ORDER)
    monkeypatch.setenv("VITRAIL_SITE_SECRET", "ab" * 32)
    assert sub_key(tmp_path / "none", PERSON_ORDER) == want


def test_the_secret_may_come_from_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kept(tmp_path / "secret", "ab" * 32)
    monkeypatch.setenv("VITRAIL_SITE_SECRET_COMMAND", f"cat '{path}'")
    assert sub_key(tmp_path / "none", PERSON_ORDER) == sub_key(path, PERSON_ORDER)
    for command in ("false", "no-such-program", "echo 'half a quote"):
        monkeypatch.setenv("VITRAIL_SITE_SECRET_COMMAND", command)
        with pytest.raises(NodeError, match="did not print the secret"):
            sub_key(path, PERSON_ORDER)
    monkeypatch.setenv("VITRAIL_SITE_SECRET_COMMAND", "echo not hexadecimal")
    with pytest.raises(NodeError, match="holds no secret") as told:
        sub_key(path, PERSON_ORDER)
    assert "not hexadecimal" not in str(told.value)


def test_profiles() -> None:
    for profile in PROFILES:
        assert named(profile.name) == profile
    with pytest.raises(SourceError, match="no such profile"):
        named("none")
