"""A hub that the contract tests speak to, through each carrier."""

from collections.abc import Iterator

import pytest

from tests.carriers import Carrier, http, hub_with_members, local, make_study, served
from vitrail.hub.registry import Registry
from vitrail.study.study import Study
from vitrail.wire import SigningKey


@pytest.fixture(params=["http", "local"], scope="module")
def carrier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carrier]:
    """Each carrier in turn: the real server in its own process, and calls within this one."""
    hub = hub_with_members(tmp_path_factory.mktemp("hub") / "hub")
    registry = Registry(hub.store(), SigningKey.read(hub.key))
    if request.param == "local":
        yield local(registry)
    else:
        with served(hub) as address:
            yield http(registry, address)


@pytest.fixture
def study(request: pytest.FixtureRequest) -> Study:
    """A study of each test's own, with two analyses, so that two questions are asked at once."""
    return make_study(request.node.name)
