"""The crosswalk: numbers never clash and never change, and the file opens for nobody without the secret."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrail.deid import crosswalk as module
from vitrail.deid.crosswalk import ENTRY, Crosswalk, read_crosswalk, write_crosswalk
from vitrail.errors import NodeError

KEY, OTHER = bytes(range(32)), bytes(32)
IDS = st.lists(st.integers(0, 2**60), unique=True, max_size=60)
EMPTY = Crosswalk(np.empty(0, dtype=ENTRY))


def array(ids: list[int]) -> np.ndarray:
    return np.array(ids, dtype=np.int64)


@given(IDS, IDS)
def test_a_number_stays_whoever_comes_later(first: list[int], second: list[int]) -> None:
    early = EMPTY.extended(KEY, array(first))
    late = early.extended(KEY, array(second))
    everybody = array(sorted({*first, *second}))
    assert early.numbers(KEY, array(first)).tolist() == late.numbers(KEY, array(first)).tolist()
    assert len(np.unique(late.numbers(KEY, everybody))) == len(everybody)


@given(st.lists(st.integers(0, 2**60), unique=True, min_size=2, max_size=60), st.randoms())
def test_the_order_of_the_source_changes_nothing(ids: list[int], random: object) -> None:
    shuffled = list(ids)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = EMPTY.extended(KEY, array(ids)), EMPTY.extended(KEY, array(shuffled))
    assert one.numbers(KEY, array(ids)).tolist() == other.numbers(KEY, array(ids)).tolist()


@pytest.mark.parametrize("people", [0, 1, 5_000])
def test_what_is_written_is_read(tmp_path: Path, people: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 4096)
    path, made = tmp_path / "crosswalk", EMPTY.extended(KEY, np.arange(people, dtype=np.int64))
    write_crosswalk(path, KEY, made)
    assert (read_crosswalk(path, KEY).entries == made.entries).all()
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(read_crosswalk(tmp_path / "none", KEY).entries) == 0


def test_nothing_of_a_person_stands_in_the_file(tmp_path: Path) -> None:
    ids = np.arange(10**9, 10**9 + 2_000, dtype=np.int64)
    path = tmp_path / "crosswalk"
    write_crosswalk(path, KEY, EMPTY.extended(KEY, ids))
    content = path.read_bytes()
    assert not any(int(each).to_bytes(8, "little") in content for each in ids)


def test_another_secret_or_a_damaged_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 4096)
    path = tmp_path / "crosswalk"
    write_crosswalk(path, KEY, EMPTY.extended(KEY, np.arange(2_000, dtype=np.int64)))
    content = path.read_bytes()
    with pytest.raises(NodeError, match="does not open with this site's secret"):
        read_crosswalk(path, OTHER)
    block = 12 + 4096 + 16
    head = len(module.MAGIC)
    swapped = content[:head] + content[head + block : head + 2 * block] + content[head : head + block]
    damaged = [b"", content[:-1], content[: head + block], content[1:], swapped + content[head + 2 * block :]]
    for number in range(0, len(content), 997):
        damaged.append(content[:number] + bytes([content[number] ^ 1]) + content[number + 1 :])
    for each in damaged:
        path.write_bytes(each)
        with pytest.raises(NodeError):
            read_crosswalk(path, KEY)
