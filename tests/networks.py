"""From extracts to evidence by the commands that people call, each node a process of its own."""

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.alliances import Alliance, until, vitrail
from vitrail.study.evidence import Evidence


def alliance_at(root: Path) -> Alliance:
    """An alliance in a directory of its own, on a free port; nothing is made yet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return Alliance(root, free.getsockname()[1])


def evidence_of(alliance: Alliance, study: Path, policy: str, sources: Mapping[str, Sequence[object]]) -> Evidence:
    """The evidence of a study file over sites that load ``sources``: the words after ``site load DIR``, by site."""
    vitrail("hub", "init", alliance.hub, "--port", alliance.port)
    for name, words in sources.items():
        site, kit = alliance.root / name, alliance.root / f"{name}-kit"
        vitrail("site", "init", site, "--name", name, "--policy", policy)
        vitrail("site", "load", site, *words, "--format", "csv", "--profile", "already-deidentified")
        vitrail(
            "alliance", "add", alliance.hub, "--site-key", site / "keys" / "agent.pub", "--name", name, "--kit", kit
        )
        vitrail("site", "join", kit, site)
    for name in ("hub", *sources):
        alliance.start(name)
    until(lambda: alliance.get("/evidence") is not None, patience=60)
    asked = alliance.propose(study)
    alliance.approve(asked, tuple(sources))
    until(lambda: alliance.done(asked), patience=240)
    return Evidence.model_validate_json(alliance.evidence(asked))
