"""Taking a site into the alliance, and the kit with which it joins."""

import re
from pathlib import Path

from pydantic import ValidationError

from vitrail.errors import NodeError
from vitrail.hub.directory import HubDirectory
from vitrail.hub.registry import Registry
from vitrail.study.parties import Kit
from vitrail.wire import PublicKey


def add_member(registry: Registry, directory: Path, name: str, key_file: Path, kit_directory: Path) -> Kit:
    """Add a site and write its kit. Doing it again writes the kit again. Raises NodeError."""
    key = _public_key(key_file)
    hub = HubDirectory.open(directory)
    members = {**registry.members(), name: key.hex}
    try:
        kit = Kit(hub=hub.card.address, hub_key=registry.key.public.hex, site=name, members=members)
    except ValidationError as error:
        raise NodeError("A site's name is lower case letters, digits and hyphens, at most 40.", "Rename it.") from error
    registry.add_member(name, key)
    try:
        kit_directory.mkdir(parents=True, exist_ok=True)
        (kit_directory / "kit.json").write_text(kit.model_dump_json(indent=1) + "\n")
    except OSError as error:
        raise NodeError(f"{kit_directory} cannot be written.", "Name another folder with --kit.") from error
    return kit


def _public_key(path: Path) -> PublicKey:
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise NodeError(f"{path} holds no public key.", "Name the site's agent.pub.")
    return PublicKey(text)
