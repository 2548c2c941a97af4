"""`python -m tests.sites.make`: a small site directory as this version makes it, for later versions to read.

It is made of synthetic people, by an alliance of one site within this process: a snapshot, an approved study, and the
Releases that answered it. Run it once for each version, before the version is given out, and commit what it writes
beside this file. What is there already is left alone: it is what an earlier version wrote.
"""

import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.alliances import Inside
from vitrail.errors import NodeError
from vitrail.hub.directory import HubDirectory
from vitrail.hub.members import add_member
from vitrail.hub.registry import Registry
from vitrail.site.load import load
from vitrail.site.node import join, make
from vitrail.synthetic.generate import generate
from vitrail.synthetic.systems import COMMUNITY
from vitrail.wire import SigningKey

HERE = Path(__file__).parent
NAME, PERSONS, SEED = "mercy", 300, 8

STUDY = """
vitrail: study/1
title: What later versions must still answer
purpose: early detection
question: Who visits, and whose mood is low within two years?
protocol: A small study for a site directory that is kept.
authors: [The tests]
concept_sets:
  mood: {concepts: [{concept: 2000000045}]}
cohorts:
  visitors: {entry: [{visit: any}], keep: first}
  ill: {entry: [{condition: mood}], keep: first}
analyses:
  description:
    kind: characterise
    cohorts: [visitors]
    table: [{name: age, age: true}, {name: female, sex: female}]
  risk:
    kind: predict
    target: visitors
    outcome: ill
    horizon: [1, 730]
    covariates:
      - {name: age, age: true, centre: 60, per: 10}
      - {name: female, sex: female}
    test_share: 0.25
"""


def write(directory: Path) -> None:
    """Write a site into the new ``directory``. Raises NodeError where there is something."""
    if directory.exists():
        raise NodeError(f"{directory} is there already.", "What a version wrote stays as it is.")
    with TemporaryDirectory() as made:
        root = Path(made)
        generate(root / "source", COMMUNITY, persons=PERSONS, seed=SEED)
        (root / "study.yaml").write_text(STUDY)
        hub = HubDirectory.make(root / "hub", 9)
        registry = Registry(hub.store(), SigningKey.read(hub.key))
        node = make(root / NAME, NAME, "default")
        node.loaded(load(node.directory, root / "source", format="omop", profile="expert-determination"))
        add_member(registry, root / "hub", NAME, node.directory.agent_public, root / "kit")
        join(node, root / "kit")
        node.store.close()
        inside = Inside.of(root, root / "study.yaml", (NAME,))
        inside.approve()
        inside.finish()
        inside.close()
        registry.store.close()
        (root / NAME / "load.lock").unlink()
        shutil.copytree(root / NAME, directory)


if __name__ == "__main__":
    target = HERE / (sys.argv[1] if len(sys.argv) > 1 else version("vitrail"))
    write(target)
    print(f"{target}: {sum(each.stat().st_size for each in target.rglob('*') if each.is_file()):,} bytes")
