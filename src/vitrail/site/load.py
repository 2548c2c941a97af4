"""load: Source ──ingest──deid──quality──▶ Snapshot. Everything here happens behind the glass."""

from collections.abc import Callable
from pathlib import Path

from vitrail.deid.columns import wanted
from vitrail.deid.deidentify import deidentify
from vitrail.deid.keys import PERSON_IDS, sub_key
from vitrail.deid.profile import usable
from vitrail.ingest.source import Format, ingest
from vitrail.omop.snapshot import Manifest, Snapshot, partial_snapshot, publish, vocabulary_digest
from vitrail.quality.report import checked
from vitrail.site.directory import SiteDirectory
from vitrail.site.staging import staging


def load(
    site: SiteDirectory,
    source: Path,
    *,
    format: Format,
    profile: str,
    mapping: Path | None = None,
    vocabulary: Path | None = None,
    public: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Snapshot:
    """Turn a source into the site's snapshot in use; where that fails, the one before stays in use.

    ``mapping`` says what CSV files mean, ``vocabulary`` is a directory with the vocabulary's tables, ``public`` says
    that anybody may have these data, and ``progress`` hears what is being done. Two loads of one source give one
    snapshot.
    Raises SourceError, SnapshotError or NodeError.
    """
    tell = progress or (lambda _: None)
    profile, columns, key = usable(profile), wanted(), sub_key(site.secret, PERSON_IDS)
    reads = [source, *([vocabulary] if vocabulary else [])]
    with staging(site, reads) as db, partial_snapshot(site.snapshots) as partial:
        extract = ingest(db, source, format, mapping, vocabulary, columns, tell)
        files = deidentify(db, columns, key, partial, tell)
        tell("checking quality")
        checks = checked(db, partial, files, columns)
        manifest = Manifest(
            origin=extract.origin.model_copy(update={"public": public or extract.origin.public}),
            profile=profile,
            calendar=extract.calendar,
            vocabulary=vocabulary_digest(files),
            files=files,
            observation_periods=extract.periods,
            rows_in=extract.rows_in,
            rows_loaded=extract.rows_loaded,
            quarantined=extract.quarantined,
            checks=checks,
            ignored=dict(extract.ignored),
        )
        return publish(site.snapshots, partial, manifest)
