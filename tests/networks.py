"""From extracts to evidence by the commands that people call, the nodes' agents objects of this process.

That nodes are processes of their own, and speak by HTTP, is what `tests/system/test_network.py` is about.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.alliances import Inside, vitrail
from vitrail.study.evidence import Evidence

Sources = Mapping[str, Sequence[object]]
"""The words after ``site load DIR``, by site."""


def evidence_of(root: Path, study: Path, policy: str, sources: Sources) -> Evidence:
    """The evidence of a study file over sites that load ``sources``, made in ``root``."""
    hub = root / "hub"
    vitrail("hub", "init", hub, "--port", 8000)
    for name, words in sources.items():
        site, kit = root / name, root / f"{name}-kit"
        vitrail("site", "init", site, "--name", name, "--policy", policy)
        vitrail("site", "load", site, *words, "--format", "csv", "--profile", "already-deidentified")
        vitrail("alliance", "add", hub, "--site-key", site / "keys" / "agent.pub", "--name", name, "--kit", kit)
        vitrail("site", "join", kit, site)
    inside = Inside.of(root, study, tuple(sources))
    try:
        inside.approve()
        return inside.finish()
    finally:
        inside.close()
