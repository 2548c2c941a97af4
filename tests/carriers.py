"""A hub with two members, and each carrier by which they may reach it."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vitrail.errors import TransportError
from vitrail.hub.directory import HubDirectory
from vitrail.hub.exchange import Exchange
from vitrail.hub.learn import advance
from vitrail.hub.registry import Registry
from vitrail.study.study import Study
from vitrail.transport import Mailbox
from vitrail.transport.http import HttpHub, HttpMailbox
from vitrail.transport.local import LocalMailbox
from vitrail.wire import PublicKey, SigningKey

KEYS = {"north": SigningKey.make(), "south": SigningKey.make()}


@dataclass(frozen=True)
class Carrier:
    """One carrier at work: how a member gets its end, how a study is proposed, and what the hub then knows."""

    mailbox: Callable[..., Mailbox]
    propose: Callable[[Study], str]
    registry: Registry


def hub_with_members(path: Path) -> HubDirectory:
    """A new hub that knows the members of :data:`KEYS`."""
    directory = HubDirectory.make(path, 1)
    registry = Registry(directory.store(), SigningKey.read(directory.key))
    for name, key in KEYS.items():
        registry.add_member(name, key.public)
    return directory


def local(registry: Registry) -> Carrier:
    exchange = Exchange(registry, lambda study: advance(registry, study))

    def propose(study: Study) -> str:
        advance(registry, registry.propose(study))
        return study.id

    def mailbox(name: str, key: SigningKey | None = None, hub: PublicKey | None = None) -> Mailbox:
        return LocalMailbox(exchange, name, key or KEYS[name], hub or registry.key.public)

    return Carrier(mailbox, propose, registry)


def http(registry: Registry, address: str) -> Carrier:
    def propose(study: Study) -> str:
        return str(HttpHub(address).send("/studies", study.canonical())["study"])

    def mailbox(name: str, key: SigningKey | None = None, hub: PublicKey | None = None) -> Mailbox:
        return HttpMailbox(HttpHub(address), name, key or KEYS[name], hub or registry.key.public)

    return Carrier(mailbox, propose, registry)


class served:  # noqa: N801 - a context, used as a verb
    """The hub's process, serving on a free port."""

    def __init__(self, hub: HubDirectory) -> None:
        self._path = hub.path

    def __enter__(self) -> str:
        words = [sys.executable, "-m", "vitrail.cli", "hub", "run", self._path, "--port", "0"]
        self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            address = HubDirectory.open(self._path).card.address
            try:
                HttpHub(address).get("/")
            except TransportError:
                time.sleep(0.05)
            else:
                return address
        raise AssertionError("the hub did not start")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)


def make_study(title: str) -> Study:
    """A small study."""
    described = {"kind": "characterise", "cohorts": ["visitors"]}
    words = {
        "vitrail": "study/1",
        "title": title,
        "purpose": "characterisation",
        "question": "Who visits?",
        "protocol": "None.",
        "authors": ["The tests"],
        "concept_sets": {},
        "cohorts": {"visitors": {"entry": [{"visit": "any"}]}},
        "analyses": {"once": described, "again": described},
    }
    return Study.model_validate_json(json.dumps(words))
