"""load: Source ──ingest──deid──quality──▶ Snapshot. Everything here happens behind the glass."""

import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from vitrail.deid.columns import wanted
from vitrail.deid.crosswalk import MERGE, read_crosswalk, read_merges, write_crosswalk, write_merges
from vitrail.deid.deidentify import Deidentified, Writer, deidentify
from vitrail.deid.keys import SURROGATES, sub_key
from vitrail.deid.persons import Keys, number_persons
from vitrail.deid.profile import Profile, named
from vitrail.deid.proof import prove
from vitrail.deid.text.clean import Cleaner
from vitrail.ingest import fhir, synthea
from vitrail.ingest.cdm import ELSEWHERE, NOT_HELD, NOT_OMOP
from vitrail.ingest.extract import Extract
from vitrail.ingest.mapped import LEFT_OUT
from vitrail.ingest.records import MERGED
from vitrail.ingest.source import Format, ingest, whole
from vitrail.omop.snapshot import (
    Calendar,
    Check,
    Manifest,
    Origin,
    Snapshot,
    partial_snapshot,
    publish,
    vocabulary_digest,
)
from vitrail.quality.report import checked
from vitrail.site.directory import SiteDirectory
from vitrail.site.proofs import write_proof
from vitrail.site.staging import kept_for, staging
from vitrail.site.unmapped import write_unmapped
from vitrail.study.word import Digest

MEANT = (LEFT_OUT, NOT_HELD, ELSEWHERE, NOT_OMOP, MERGED, *fhir.MEANT, *synthea.MEANT)
"""Reasons for which a row is quarantined because somebody said so, and nothing is wrong."""

DEATHS: Mapping[Format, str] = {
    "omop": "the death table of the source",
    "csv": "what the mapping says of deaths",
    "fhir": "Patient.deceased",
    "synthea": "DEATHDATE of patients.csv",
}
"""Where each kind of source knows of deaths from. Deaths outside a hospital are often missing from all of them."""


def load(
    site: SiteDirectory,
    source: Path | str,
    *,
    format: Format,
    profile: str,
    mapping: Path | None = None,
    vocabulary: Path | None = None,
    merges: Path | None = None,
    public: bool = False,
    progress: Callable[[str], None] | None = None,
    today: date | None = None,
) -> Snapshot:
    """Turn a source into the site's snapshot in use; where that fails, the one before stays in use.

    ``source`` is a path, or the address of a PostgreSQL database. ``mapping`` says what CSV files mean, ``vocabulary``
    is a directory with the vocabulary's tables, ``merges`` lists persons who were found to be another, ``public``
    says that anybody may have these data, and ``progress`` hears what is being done. Dates after ``today`` (by the
    clock, where it is not said) are in the future: a check counts them where the calendar is the true one. That aside
    two loads of one source give one snapshot, whatever the day. A load that was killed goes on where it can.
    Raises SourceError, SnapshotError or NodeError.
    """
    tell = progress or (lambda _: None)
    rules, columns, keys = named(profile), wanted(), Keys.of(site.secret)
    cleaner = Cleaner(sub_key(site.secret, SURROGATES))
    crosswalk = read_crosswalk(site.crosswalk, keys.crosswalk)
    site_map = site.site_map if site.site_map.is_file() else None
    reads = [each for each in (source, vocabulary, merges, site_map) if isinstance(each, Path)]
    day, kept = today or datetime.now(UTC).date(), kept_for(site, source)
    with staging(site, reads, kept) as db, partial_snapshot(site.snapshots) as partial:
        with whole(reads):
            extract = ingest(db, source, format, mapping, vocabulary, columns, tell, site_map, merges, kept)
            write_unmapped(db, site.unmapped)
            merged = _merged(db)
            crosswalk = crosswalk.with_survivors(keys.order, merged)
            # The crosswalk is written before anything that rests on it: a person's number and anchor never change.
            write_crosswalk(site.crosswalk, keys.crosswalk, number_persons(db, rules, keys, crosswalk))
            written = deidentify(Writer(db, columns, rules, keys.order, cleaner, partial), tell)
            tell("attacking what was made")
            proof = prove(db, rules, partial, written.ruled, written.removed, site.population)
            tell("checking quality")
            calendar = rules.calendar or extract.calendar
            checks = checked(
                db, partial, written.files, columns, calendar, extract.rows_in, extract.quarantined, day, MEANT
            )
        origin = extract.origin.model_copy(update={"public": public or extract.origin.public})
        said = _manifest(rules, origin, calendar, extract, written, checks, write_proof(site, proof))
        # Until the new snapshot is in use, who opts out may be merged in the old one or in the new.
        either = np.union1d(read_merges(site.merges, keys.crosswalk), merged)
        write_merges(site.merges, keys.crosswalk, either)
        snapshot = publish(site.snapshots, partial, said)
        write_merges(site.merges, keys.crosswalk, merged)
        shutil.rmtree(kept, ignore_errors=not kept.exists())
        return snapshot


def _merged(db: duckdb.DuckDBPyConnection) -> NDArray[np.void]:
    pairs = db.execute("SELECT old, survivor FROM given.merge ORDER BY old").fetchall()
    return np.array(pairs, dtype=MERGE)


def _manifest(
    rules: Profile,
    origin: Origin,
    calendar: Calendar,
    extract: Extract,
    written: Deidentified,
    checks: tuple[Check, ...],
    proof: Digest,
) -> Manifest:
    return Manifest(
        vitrail="snapshot/1",
        cdm_version="5.4",
        origin=origin,
        profile=rules.name,
        calendar=calendar,
        vocabulary=vocabulary_digest(written.files),
        files=written.files,
        observation_periods=extract.periods,
        deaths=DEATHS[origin.format],
        derived=dict(extract.derived),
        rows_in=extract.rows_in,
        rows_loaded=extract.rows_loaded,
        quarantined=extract.quarantined,
        checks=checks,
        ignored=dict(extract.ignored),
        removed=written.removed,
        ruled=written.ruled,
        proof=proof,
    )
