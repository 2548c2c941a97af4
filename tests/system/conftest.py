"""A small alliance for each test: a copy of one that was made once."""

import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.alliances import PEOPLE, SITES, STUDY, Alliance, Inside, write_extract
from vitrail.hub.directory import HubDirectory
from vitrail.hub.members import add_member
from vitrail.hub.registry import Registry
from vitrail.site.load import load
from vitrail.site.node import Node, join, make
from vitrail.wire import SigningKey


@pytest.fixture(scope="session")
def extracts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OMOP tables of two small health systems, one directory each."""
    root = tmp_path_factory.mktemp("extracts")
    for number, name in enumerate(SITES):
        write_extract(root / name, PEOPLE, random.Random(number))
    return root


@pytest.fixture(scope="session")
def joined(extracts: Path, tmp_path_factory: pytest.TempPathFactory) -> Alliance:
    """An alliance whose sites have loaded their data and joined; nothing runs. Tests copy it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    alliance = Alliance(tmp_path_factory.mktemp("alliance"), port)
    hub = HubDirectory.make(alliance.hub, port)
    registry = Registry(hub.store(), SigningKey.read(hub.key))
    for name in SITES:
        node = make(alliance.root / name, name, "public-data")
        source = extracts / name
        node.loaded(load(node.directory, source, format="omop", profile="already-deidentified", public=True))
        add_member(registry, alliance.hub, name, node.directory.agent_public, alliance.root / f"kit-{name}")
    for name in SITES:
        node = Node.open(alliance.root / name)
        join(node, alliance.root / f"kit-{name}")
        node.store.close()
    return alliance


@pytest.fixture
def alliance(joined: Alliance, tmp_path: Path) -> Iterator[Alliance]:
    """A copy of the alliance for one test; its processes end with the test."""
    copy = joined.copied(tmp_path / "alliance")
    yield copy
    copy.stop()


@pytest.fixture(scope="session")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small study with one analysis of one round and one of several."""
    path = tmp_path_factory.mktemp("studies") / "small.yaml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def inside(alliance: Alliance, study_file: Path) -> Inside:
    """The same alliance within this process, its small study proposed and in every site's inbox."""
    return Inside.of(alliance.root, study_file)
