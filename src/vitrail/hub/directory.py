"""A hub's directory: where everything that a hub keeps lies.

``hub.json`` the hub's address; ``keys/hub.key`` its signing key and ``keys/hub.pub`` the public part; ``hub.db`` the
node's one database.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from vitrail.errors import NodeError
from vitrail.governance.ledger import Sealer
from vitrail.store.making import making
from vitrail.store.store import Event, Store
from vitrail.study.word import Word
from vitrail.wire import SigningKey


class HubCard(Word):
    """What ``hub.json`` says. The hub listens on this machine only until members have certificates."""

    vitrail: Literal["hub/1"] = "hub/1"
    port: int

    @property
    def address(self) -> str:
        """Where members reach the hub."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class HubDirectory:
    """The paths of one hub, and where it listens."""

    path: Path
    card: HubCard

    @staticmethod
    def make(path: Path, port: int) -> "HubDirectory":
        """A new hub at ``path``: its key, its card, its ledger. Raises NodeError where there is one."""
        made, key = HubDirectory(path, HubCard(port=port)), SigningKey.make()
        with making(path, "hub.json"):
            key.write(made.key)
            made.public.write_text(key.public.hex + "\n")
            store = made.store()
            store.record(Event("made", key.public.id))
            store.close()
            made.listen_on(port)
        return made

    @staticmethod
    def open(path: Path) -> "HubDirectory":
        """The hub at ``path``. Raises NodeError where there is none."""
        try:
            card = HubCard.model_validate_json((path / "hub.json").read_bytes())
        except (OSError, ValidationError) as error:
            raise NodeError(f"{path} is no hub.", "Make one with `vitrail hub init`.") from error
        return HubDirectory(path, card)

    @property
    def key(self) -> Path:
        """The private key that signs questions and evidence."""
        return self.path / "keys" / "hub.key"

    @property
    def public(self) -> Path:
        """Its public part, in hexadecimal."""
        return self.path / "keys" / "hub.pub"

    @property
    def database(self) -> Path:
        """The node's one database."""
        return self.path / "hub.db"

    def store(self) -> Store:
        """The node's database, sealed with its key."""
        return Store(self.database, Sealer(SigningKey.read(self.key)))

    def listen_on(self, port: int) -> "HubDirectory":
        """Remember the port, so that later kits name it."""
        card = HubCard(port=port)
        (self.path / "hub.json").write_text(card.model_dump_json() + "\n")
        return HubDirectory(self.path, card)
