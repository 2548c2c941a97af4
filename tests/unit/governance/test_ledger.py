"""The ledger's signed head: any change to what was entered is found."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrail.errors import LedgerError
from vitrail.governance.ledger import Sealer, verify
from vitrail.wire import SigningKey

KEY = SigningKey.make()
ENTRIES = st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=12)


def sealed(entries: list[bytes]) -> str:
    seal = None
    for entry in entries:
        seal = Sealer(KEY)(seal, entry)
    assert seal is not None
    return seal


@given(ENTRIES)
def test_an_untouched_ledger_verifies(entries: list[bytes]) -> None:
    assert verify(entries, sealed(entries), KEY.public)[0] == len(entries)


@given(ENTRIES, st.data())
def test_every_change_is_found(entries: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(entries) - 1))
    changes = {
        "changed": [*entries[:place], entries[place] + b"!", *entries[place + 1 :]],
        "removed": [*entries[:place], *entries[place + 1 :]],
        "added": [*entries[:place], b"new", *entries[place:]],
        "swapped": [*entries[:place], *reversed(entries[place:])],
    }
    changed = changes[data.draw(st.sampled_from(sorted(changes)))]
    if changed != entries:
        with pytest.raises(LedgerError):
            verify(changed, sealed(entries), KEY.public)


def test_a_head_of_another_key_is_refused() -> None:
    with pytest.raises(LedgerError, match="not signed by this node"):
        verify([b"a"], sealed([b"a"]), SigningKey.make().public)


def test_no_entry_is_added_to_a_damaged_seal() -> None:
    seal = json.loads(sealed([b"a", b"b", b"c"]))
    seal["frontier"][0] = seal["frontier"][0][::-1]
    with pytest.raises(LedgerError, match="does not fit"):
        Sealer(KEY)(json.dumps(seal), b"d")


@pytest.mark.parametrize("seal", [None, "", "{}", '{"head": 3}', '{"head": {}}'])
def test_a_missing_or_unreadable_head_is_a_typed_error(seal: str | None) -> None:
    with pytest.raises(LedgerError):
        verify([b"a"], seal, KEY.public)
