"""The hub over HTTP: whatever is sent, the answer says what is wrong, and is never a failure of the hub."""

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.carriers import KEYS, hub_with_members, make_study, served
from vitrail.hub.api import Hub, service
from vitrail.hub.directory import HubDirectory
from vitrail.hub.registry import Registry
from vitrail.transport import MAX_POST_BYTES
from vitrail.wire import PAYLOAD_TYPE, SigningKey

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=20,
)
KINDS = st.sampled_from(["poll", "release", "proposal", "study", ""])
ENVELOPES = st.builds(
    lambda kind, data, key: key.sign(kind, data),
    KINDS,
    st.dictionaries(
        st.sampled_from(["vitrail", "member", "site", "hub", "after", "wait", "at", "study", "question", "round"]),
        st.none() | st.integers(-(2**50), 2**50) | st.text(max_size=80) | st.sampled_from([*KEYS, "poll/1"]),
    ),
    st.sampled_from([*KEYS.values(), SigningKey.make()]),
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    directory = hub_with_members(tmp_path_factory.mktemp("hub") / "hub")
    with served(directory) as address, httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
        yield client


AS_JSON = {"content-type": "application/json"}


def refused(response: httpx.Response) -> None:
    assert 400 <= response.status_code < 500
    if response.status_code != 404:
        assert set(response.json()) == {"what", "do"}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(["/messages", "/poll", "/studies"]), content=st.binary(max_size=300))
def test_any_bytes(client: httpx.Client, path: str, content: bytes) -> None:
    refused(client.post(path, content=content, headers=AS_JSON))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(["/messages", "/poll", "/studies"]), data=JSON)
def test_any_json(client: httpx.Client, path: str, data: Any) -> None:
    refused(client.post(path, content=json.dumps(data).encode("utf-8", "surrogatepass"), headers=AS_JSON))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(["/messages", "/poll"]), envelope=ENVELOPES)
def test_any_signed_message(client: httpx.Client, path: str, envelope: dict[str, Any]) -> None:
    refused(client.post(path, json=envelope))


@pytest.mark.parametrize("path", ["/messages", "/poll", "/studies"])
def test_too_deep(client: httpx.Client, path: str) -> None:
    refused(client.post(path, content=b"[" * 200_000, headers=AS_JSON))
    payload = base64.b64encode(b'{"a":' * 100_000).decode()
    envelope = {"payloadType": PAYLOAD_TYPE.format(kind="release"), "payload": payload, "signatures": []}
    refused(client.post(path, json=envelope))


@pytest.mark.parametrize("path", ["/messages", "/poll", "/studies"])
def test_too_large(client: httpx.Client, path: str) -> None:
    refused(client.post(path, content=b"x" * (MAX_POST_BYTES + 1), headers=AS_JSON))


def test_a_page_in_a_browser_cannot_propose(client: httpx.Client) -> None:
    """Neither as a form, which needs no leave of the hub, nor under a name of its own that leads to this machine."""
    content = json.dumps(make_study("Browser").canonical())
    refused(client.post("/studies", content=content, headers={"content-type": "text/plain"}))
    assert client.post("/studies", content=content, headers={**AS_JSON, "host": "example.org"}).status_code == 400
    assert client.get("/studies").json() == []


@pytest.mark.parametrize(
    "path", ["/studies/x", "/evidence/x", "/evidence/sha256:" + "0" * 64, "/studies/%00", "/nothing"]
)
def test_what_is_not_there(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_study_without_members_is_refused(tmp_path: Path) -> None:
    directory = HubDirectory.make(tmp_path / "lonely", 1)
    hub = Hub(Registry(directory.store(), SigningKey.read(directory.key)))
    transport = httpx.ASGITransport(service(hub))

    async def propose() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.post("/studies", json=make_study("Lonely").canonical())

    response = asyncio.run(propose())
    assert response.status_code == 403
    assert "no members" in response.json()["what"]
