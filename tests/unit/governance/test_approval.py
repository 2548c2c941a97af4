"""An approval lets a site answer just what its steward signed, and nothing else."""

from datetime import date, timedelta
from typing import Any

import pytest

from vitrail.errors import Refusal
from vitrail.governance.approval import APPROVAL, REJECTION, Approval, Rejection, may_answer
from vitrail.study.signed import Envelope, signed
from vitrail.wire import SigningKey, digest

STEWARD, AGENT = SigningKey.make(), SigningKey.make()
TODAY = date(2030, 6, 1)
WANTED: dict[str, Any] = {
    "study": digest(b"study"),
    "site": "north",
    "policy": digest(b"policy"),
    "members": {"north": AGENT.public.hex, "south": SigningKey.make().public.hex},
    "today": TODAY,
}


def envelope(key: SigningKey = STEWARD, **changes: Any) -> Envelope:
    said = {name: value for name, value in WANTED.items() if name != "today"}
    return signed(Approval(**{**said, "expires": TODAY, **changes}), APPROVAL, key)


def test_what_was_approved_may_be_answered_through_its_last_day() -> None:
    assert may_answer(envelope(), STEWARD.public, **WANTED).expires == TODAY


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (None, "has not approved"),
        (envelope(AGENT), "not signed by the site's steward"),
        (signed(Rejection(study=WANTED["study"], site="north", why="No."), REJECTION, STEWARD), "not signed"),
        (envelope(study=digest(b"other")), "another study"),
        (envelope(site="south"), "another study or site"),
        (envelope(policy=digest(b"other")), "policy has changed"),
        (envelope(members={**WANTED["members"], "ghost": "0" * 64}), "members"),
        (envelope(members={**WANTED["members"], "south": "0" * 64}), "members"),
        (envelope(expires=TODAY - timedelta(days=1)), "expired"),
    ],
)
def test_anything_else_is_refused(given: Envelope | None, why: str) -> None:
    with pytest.raises(Refusal, match=why) as refused:
        may_answer(given, STEWARD.public, **WANTED)
    assert refused.value.code == "not_approved"


def test_a_changed_envelope_is_refused() -> None:
    forged = {**envelope(), "payload": envelope(expires=date(2099, 1, 1))["payload"]}
    with pytest.raises(Refusal, match="not signed"):
        may_answer(forged, STEWARD.public, **WANTED)
