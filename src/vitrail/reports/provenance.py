"""Where every number comes from: sites, snapshots, policies, and each Release by its content hash."""

from collections.abc import Mapping

from vitrail import wire
from vitrail.reports.blocks import Column, Pane, Row, Table
from vitrail.study.evidence import Evidence
from vitrail.study.signed import body


def evidence_hash(evidence: Evidence) -> str:
    """The content hash of the evidence's canonical JSON."""
    return wire.digest_of(body(evidence))


def cuts_table(evidence: Evidence, panes: Mapping[str, Pane]) -> Table:
    """The snapshot and the policy behind each site's Releases."""
    cuts = sorted({(each.site, each.snapshot, each.policy) for each in evidence.sources})
    rows = tuple(Row(site, (snapshot, policy), pane=panes[site]) for site, snapshot, policy in cuts)
    return Table("Snapshots and policies", tuple(map(Column, ("Site", "snapshot", "policy"))), rows)


def releases_table(evidence: Evidence, panes: Mapping[str, Pane]) -> Table:
    """Every Release, in the order of analysis, round and site."""
    ordered = sorted(evidence.sources, key=lambda each: (each.analysis, each.round, each.site))
    rows = tuple(
        Row(each.site, (each.analysis, str(each.round), "refused" if each.refused else "answered", each.release),
            pane=panes[each.site])
        for each in ordered
    )  # fmt: skip
    heads = ("Site", "analysis", "round", "answer", "Release")
    return Table("Releases", tuple(map(Column, heads)), rows)
