"""What commands do with either kind of node."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vitrail.errors import NodeError, TransportError
from vitrail.governance import ledger
from vitrail.store.check import check_decisions, check_releases, check_waivers
from vitrail.store.store import Store
from vitrail.wire import PublicKey

if TYPE_CHECKING:
    from vitrail.hub.registry import Registry


@dataclass(frozen=True)
class Opened:
    """A hub's or a site's database and public key; ``site`` is None for a hub."""

    store: Store
    key: PublicKey
    site: str | None

    def verify(self) -> tuple[int, str]:
        """Size and root of the ledger, where it fits its signed head and what is kept. Raises LedgerError."""
        found = ledger.verify(*self.store.ledger(), self.key)
        check_releases(self.store, self.site)
        check_decisions(self.store)
        check_waivers(self.store)
        return found


def opened(path: Path) -> Opened:
    """The node at ``path``. Raises NodeError where there is none."""
    if (path / "hub.json").exists():
        from vitrail.hub.directory import HubDirectory

        hub = HubDirectory.open(path)
        return Opened(hub.store(), PublicKey(hub.public.read_text().strip()), None)
    if (path / "site.json").exists():
        from vitrail.site.node import Node

        node = Node.open(path)
        return Opened(node.store, node.key.public, node.name)
    raise NodeError(f"{path} is neither a site nor a hub.", "Name the directory of one.")


def registry(path: Path) -> "Registry":
    """What the hub at ``path`` knows. Raises NodeError where there is no hub."""
    from vitrail.hub.directory import HubDirectory
    from vitrail.hub.registry import Registry
    from vitrail.wire import SigningKey

    hub = HubDirectory.open(path)
    return Registry(hub.store(), SigningKey.read(hub.key))


def address_where_running(path: Path) -> str | None:
    """The address of the hub at ``path`` where this very hub answers there, else None."""
    from vitrail.hub.directory import HubDirectory
    from vitrail.transport.http import HttpHub

    hub = HubDirectory.open(path)
    try:
        answer = HttpHub(hub.card.address).get("/")
    except TransportError:
        return None
    return hub.card.address if answer == {"hub": PublicKey(hub.public.read_text().strip()).id} else None
