"""A real alliance for the tests: a hub and two sites, each in its own directory and, where asked, its own process."""

import csv
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from tests.commands import run
from vitrail import wire
from vitrail.errors import TransportError
from vitrail.hub.directory import HubDirectory
from vitrail.hub.exchange import Exchange
from vitrail.hub.learn import advance
from vitrail.hub.registry import Registry
from vitrail.hub.status import evidence, status
from vitrail.site import record, review
from vitrail.site.agent import Agent
from vitrail.site.inbox import INBOX
from vitrail.site.node import Node
from vitrail.study.evidence import Evidence
from vitrail.study.reader import read_study
from vitrail.study.release import Release
from vitrail.study.signed import unverified
from vitrail.transport.http import HttpHub
from vitrail.transport.local import LocalMailbox
from vitrail.wire import SigningKey

SITES = ("north", "south")
PEOPLE = 400
EXPOSURE, OUTCOME, VISIT = 2_000_000_001, 2_000_000_002, 9202

STUDY = f"""
vitrail: study/1
title: Who falls ill within a year
purpose: early detection
question: Does the exposure foretell the outcome?
protocol: A small study for the tests.
authors: [The tests]
concept_sets:
  exposure: {{concepts: [{{concept: {EXPOSURE}}}]}}
  outcome: {{concepts: [{{concept: {OUTCOME}}}]}}
cohorts:
  visitors: {{entry: [{{visit: any}}], keep: first}}
  ill: {{entry: [{{condition: outcome}}], keep: first}}
analyses:
  description:
    kind: characterise
    cohorts: [visitors]
    table: [{{name: age, age: true}}, {{name: female, sex: female}}]
  risk:
    kind: predict
    target: visitors
    outcome: ill
    horizon: [1, 365]
    covariates:
      - {{name: age, age: true, centre: 60, per: 10}}
      - {{name: female, sex: female}}
      - {{name: exposed, has: {{condition: exposure}}, days: [-365, 0]}}
    test_share: 0.25
"""


def vitrail(*words: object) -> str:
    """What a command prints; its own words are in the failure where it fails."""
    said = run(*words)
    assert said.status == 0, said.err
    return said.out


def until(look: Callable[[], Any], patience: float = 30.0) -> Any:
    """What ``look`` finds once it finds something."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("it took too long")


@dataclass
class Alliance:
    """A hub and its sites under one directory."""

    root: Path
    port: int
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def hub(self) -> Path:
        return self.root / "hub"

    def copied(self, root: Path) -> "Alliance":
        """The same alliance in another directory, as it is now."""
        shutil.copytree(self.root, root)
        return Alliance(root, self.port)

    def start(self, name: str) -> None:
        """Start the hub's or a site's process."""
        log = (self.root / f"{name}.log").open("ab")
        words = [sys.executable, "-m", "vitrail.cli", "hub" if name == "hub" else "site", "run", self.root / name]
        self.running[name] = subprocess.Popen(words, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """SIGKILL a process."""
        process = self.running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for name in list(self.running):
            self.kill(name)

    def get(self, path: str) -> Any:
        """What the hub says, or None while it is down."""
        hub = HttpHub(self.address)
        try:
            return hub.get(path)
        except TransportError:
            return None
        finally:
            hub.close()

    def done(self, study: str) -> bool:
        state = self.get(f"/studies/{study}")
        assert state is None or state["state"] != "failed", state
        return bool(state and state["state"] == "done")

    def evidence(self, study: str) -> bytes:
        """The bytes of the evidence's body."""
        return wire.opened(self.get(f"/evidence/{study}")["evidence"])[1]

    def propose(self, file: Path) -> str:
        return str(json.loads(vitrail("study", "propose", file, "--hub", self.address, "--json"))["study"])

    def approve(self, study: str, sites: Sequence[str] = SITES) -> None:
        for name in sites:
            directory = self.root / name
            until(lambda directory=directory: study in vitrail("site", "review", directory))
            vitrail("site", "review", directory, "--approve", study, "--key", directory / "keys" / "steward.key")


def write_extract(directory: Path, people: int, rng: random.Random) -> None:
    """Women and men of all ages; the exposed and the old fall ill more often."""
    directory.mkdir()
    tables: dict[str, list[dict[str, object]]] = {"person": [], "observation_period": [], "visit_occurrence": []}
    conditions: list[dict[str, object]] = []
    for person in range(1, people + 1):
        born, exposed = rng.randint(1930, 1990), rng.random() < 0.3
        female = rng.random() < 0.5
        tables["person"].append(
            {"person_id": person, "gender_concept_id": 8532 if female else 8507, "year_of_birth": born}
            | {"race_concept_id": 0, "ethnicity_concept_id": 0}
        )
        tables["observation_period"].append(
            {"observation_period_id": person, "person_id": person, "period_type_concept_id": 32817}
            | {"observation_period_start_date": "2010-01-01", "observation_period_end_date": "2019-12-31"}
        )
        tables["visit_occurrence"].append(
            {"visit_occurrence_id": person, "person_id": person, "visit_concept_id": VISIT}
            | {"visit_start_date": "2015-06-01", "visit_end_date": "2015-06-01", "visit_type_concept_id": 32817}
        )
        risk = 0.15 + 0.25 * exposed + 0.005 * (1990 - born)
        for concept, day, happens in ((EXPOSURE, "2015-03-01", exposed), (OUTCOME, "2015-11-01", rng.random() < risk)):
            if happens:
                conditions.append(
                    {"condition_occurrence_id": len(conditions) + 1, "person_id": person}
                    | {"condition_concept_id": concept, "condition_start_date": day, "condition_type_concept_id": 32817}
                )
    for table, rows in {**tables, "condition_occurrence": conditions}.items():
        with (directory / f"{table}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


@dataclass
class Inside:
    """An alliance whose hub and agents are objects of this process: every message can be looked at and changed."""

    registry: Registry
    agents: dict[str, Agent]
    study: str

    @staticmethod
    def of(root: Path, study_file: Path, sites: Sequence[str] = SITES) -> "Inside":
        hub = HubDirectory.open(root / "hub")
        registry = Registry(hub.store(), SigningKey.read(hub.key))
        exchange = Exchange(registry, lambda study: advance(registry, study))
        agents = {}
        for name in sites:
            node = Node.open(root / name)
            mailbox = LocalMailbox(exchange, name, node.key, registry.key.public)
            agents[name] = Agent(node, mailbox, lambda _: None)
        inside = Inside(registry, agents, registry.propose(read_study(study_file)))
        advance(registry, inside.study)
        for name in sites:
            inside.receive(name)
        return inside

    def receive(self, name: str) -> None:
        """Take in all that waits for a site, and answer nothing."""
        agent = self.agents[name]
        for message in agent.mailbox.fetch(agent.reached(INBOX)):
            agent.inbox.receive(message)

    def approve(self, *names: str) -> None:
        for name in names or self.agents:
            node = self.agents[name].node
            review.approve(node, self.study, SigningKey.read(node.directory.steward_key), date(2099, 1, 1))

    def turn(self, times: int = 1) -> None:
        """Let every agent take turns."""
        for _ in range(times):
            for agent in self.agents.values():
                agent.turn(wait=0)

    def finish(self) -> Evidence:
        """Take turns until there is evidence."""
        for _ in range(40):
            self.turn()
            if status(self.registry, self.study)["state"] == "done":
                return unverified(evidence(self.registry, self.study)["evidence"], "evidence", Evidence)
        raise AssertionError("no evidence")

    def close(self) -> None:
        """Let go of every database."""
        for store in (self.registry.store, *(agent.node.store for agent in self.agents.values())):
            store.close()

    def released(self, name: str) -> Sequence[Release]:
        return record.released(self.agents[name].node.store, name, self.study)
