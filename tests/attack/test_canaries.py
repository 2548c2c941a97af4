"""Nothing that identifies anybody gets through a load: made identifiers are planted everywhere, and none is found.

Every source is loaded by the command line. Every byte that the load left in the site's directory, and all that it said,
is searched for every canary in every writing of :func:`tests.canaries.patterns`. The controls: the same search finds
all of them in the source, and many of them in a snapshot where a rule of deidentification is off.
"""

import base64
import re
import stat
import traceback
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest

from tests.canaries import KINDS, Aviary, Canary, Search, everything
from tests.canary_damage import DAMAGES
from tests.canary_sources import KNOWN, write_bundles, write_fhir, write_words
from tests.canary_tables import write_mapped, write_omop, write_omop_duckdb, write_omop_parquet, write_synthea
from tests.commands import Said, run
from vitrail.deid.columns import ACTIONS
from vitrail.deid.text.clean import Cleaner
from vitrail.deid.text.spans import Known

Writer = Callable[[Aviary, int, Path], Path]

SOURCES: Mapping[str, tuple[Writer, str]] = {
    "FHIR": (write_fhir, "fhir"),
    "bundles": (write_bundles, "fhir"),
    "Synthea": (write_synthea, "synthea"),
    "OMOP": (write_omop, "omop"),
    "Parquet": (write_omop_parquet, "omop"),
    "DuckDB": (write_omop_duckdb, "omop"),
    "mapped": (write_mapped, "csv"),
}
PROFILES = ("safe-harbor", "expert-determination")
QUICK = (("FHIR", PROFILES[0]), ("Synthea", PROFILES[1]), ("OMOP", PROFILES[0]), ("mapped", PROFILES[1]))
MISSED = {"a note as capitals: a name that no record knows"}
"""What notes are known to let through now and then: 6 of 200 such names. Where there are levers, there is a rate."""

MOST = 6
"""How many canaries in each place make 10,000 of all sources."""


@dataclass(frozen=True)
class Planted:
    """A source, its canaries and the search for them."""

    path: Path
    format: str
    canaries: list[Canary]
    search: Search
    words: Path

    @property
    def options(self) -> tuple[object, ...]:
        """How it is loaded."""
        mapping = ("--mapping", self.path / "mapping.yaml") if self.format == "csv" else ()
        return ("--format", self.format, *mapping, *(() if self.format == "omop" else ("--vocabulary", self.words)))


def planted(name: str, each: int, directory: Path) -> Planted:
    write, form = SOURCES[name]
    birds = Aviary(1 + list(SOURCES).index(name))
    path = write(birds, each, directory / "source")
    path = next(path.glob("*.duckdb"), path)
    return Planted(path, form, birds.hatched, Search(birds.hatched), write_words(directory / "words"))


@pytest.fixture(autouse=True)
def _same_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRAIL_SITE_SECRET", "5a" * 32)


def said(*words: object) -> Said:
    """What a command says, its traceback too where it ends in one."""
    try:
        return run(*words)
    except Exception:  # noqa: BLE001 (VITRAIL_DEBUG lets every kind through)
        return Said(1, "", traceback.format_exc())


def loaded(source: Planted, site: Path, profile: str) -> list[Said]:
    """All that is said from the making of a site to the pages of its snapshot."""
    made = said("site", "init", site, "--name", "north")
    load = said("site", "load", site, source.path, *source.options, "--profile", profile)
    assert load.status == 0, load.err
    pages = [said("site", *words) for words in (("quality", site), ("proof", site), ("verify", site))]
    return [made, load, *pages]


def found(source: Planted, site: Path, told: list[Said]) -> dict[str, set[Canary]]:
    """Where canaries are, in all that a load left and said."""
    where: dict[str, set[Canary]] = defaultdict(set)
    for each in told:
        where["what it said"] |= source.search((each.out + each.err).encode())
    for name, raw in everything(site):
        where[name] |= {each for each in source.search(raw) if not (each.beside and "note.parquet" in name)}
    for path in site.glob("snapshots/*/note.parquet"):
        where["days in notes"] |= _days_beside(source, path)
    return {name: held for name, held in where.items() if held}


def _days_beside(source: Planted, notes: Path) -> set[Canary]:
    """Days that still stand in their own note: a day of another, moved, may be the same."""
    texts = duckdb.execute("SELECT lower(note_text) FROM read_parquet($1)", [str(notes)]).fetchall()
    days = [each for each in source.canaries if each.beside]
    return {each for (text,) in texts for each in days if each.beside in text and each in source.search(text.encode())}


def leaks(found: dict[str, set[Canary]]) -> dict[str, list[str]]:
    """The places that leaked, by where they leaked to, but for what is meant to be there.

    ``unmapped.csv`` lists what stands in the place of codes with k persons and more, for the engineer inside the site;
    and CONCEPT is published as it is: whoever writes names there, publishes them. Another limit is not tried here: a
    number that 2k persons and more have as the value of one measurement is taken for a value, whatever it is.
    """
    out = {}
    for name, canaries in found.items():
        left = {each.place for each in canaries}
        if name == "unmapped.csv":
            left = {each for each in left if not each.endswith("of many people")}
        if re.search(r"(^|/)concept\.parquet", name):
            left = {each for each in left if not each.startswith("OMOP's concept ")}
        if left := left - MISSED:
            out[name] = sorted(left)
    return out


def places(canaries: set[Canary]) -> set[str]:
    return {each.place for each in canaries}


def in_source(source: Planted) -> set[Canary]:
    return {
        each
        for _, raw in everything(source.path if source.path.is_dir() else source.path.parent)
        for each in source.search(raw)
    }


CASES = [
    *(pytest.param(name, profile, 1, id=f"{name}-{profile}") for name, profile in QUICK),
    *(pytest.param(name, profile, MOST, id=f"{name}-{profile}-all", marks=pytest.mark.slow)
      for name in SOURCES for profile in PROFILES),
]  # fmt: skip


WRITTEN: Mapping[str, Callable[[str], bytes]] = {
    "as it is": str.encode,
    "capitals": lambda text: text.upper().encode(),
    "small letters": lambda text: text.lower().encode(),
    "UTF-16": lambda text: text.encode("utf-16-le"),
    "UTF-16, the other end first": lambda text: text.encode("utf-16-be"),
    "hexadecimal": lambda text: text.encode().hex().upper().encode(),
    "URL-encoded": lambda text: quote(text, safe="").encode(),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64, one byte on": lambda text: base64.b64encode(f"x{text}y".encode()),
    "base64, two bytes on": lambda text: base64.b64encode(f"xx{text}".encode()),
    "reversed": lambda text: text[::-1].encode(),
    "without hyphens": lambda text: text.replace("-", "").encode(),
    "in reversed order": lambda text: "/".join(reversed(text.split("-"))).encode(),
}


@pytest.mark.parametrize("written", WRITTEN)
def test_the_search_finds_a_canary_however_it_is_written(written: str) -> None:
    birds = Aviary(2)
    for kind in KINDS:
        birds.hatch("here", kind)
    search, other = Search(birds.hatched), Aviary(5)
    for each in birds.hatched:
        if written != "in reversed order" or each.kind == "date":
            assert each in search(b"before " + WRITTEN[written](each.text) + b" after")
        assert search(WRITTEN[written](other.hatch("there", each.kind))) == set()


@pytest.mark.parametrize(("name", "profile", "each"), CASES)
def test_nothing_gets_through_a_load(tmp_path: Path, name: str, profile: str, each: int) -> None:
    source = planted(name, each, tmp_path)
    assert in_source(source) == set(source.canaries)  # the control: the search finds all where nothing is hidden
    site = tmp_path / "site"
    told = loaded(source, site, profile)
    assert leaks(found(source, site, told)) == {}
    if each == 1 and source.format == "fhir":
        return  # the slow cases try the dry run of every source
    dry = said("site", "load", site, source.path, *source.options, "--profile", profile, "--dry-run", "--json")
    assert dry.status == 0
    assert all(place.endswith("of many people") for place in places(source.search((dry.out + dry.err).encode())))


def test_there_are_canaries_enough(tmp_path: Path) -> None:
    """1,000 in every run, of all kinds, in far more than 60 kinds of places; 10,000 in the slow ones."""
    birds, names = [], {name for name, _ in QUICK}
    for each, some in ((1, names), (MOST, SOURCES.keys())):
        birds.append([])
        for name in some:
            (tmp_path / f"{name}{each}").mkdir()
            aviary = Aviary(1)
            SOURCES[name][0](aviary, each, tmp_path / f"{name}{each}" / "source")
            birds[-1] += aviary.hatched
    assert len(birds[0]) >= 1_000
    assert len(birds[1]) >= 10_000
    for held in birds:
        assert {each.kind for each in held} == set(KINDS)
        assert len({each.place for each in held}) >= 60


@pytest.mark.parametrize("debug", [False, True], ids=["", "VITRAIL_DEBUG"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_no_message_of_a_load_that_fails_tells(
    tmp_path: Path, damage: str, debug: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if debug:
        monkeypatch.setenv("VITRAIL_DEBUG", "1")
    birds, site = Aviary(3), tmp_path / "site"
    (tmp_path / "source").mkdir()
    options = DAMAGES[damage](birds, tmp_path / "source")
    assert said("site", "init", site, "--name", "north").status == 0
    told = said("site", "load", site, *options, "--profile", "safe-harbor")
    assert told.status not in (0, None), "the damage does nothing, so the test shows nothing"
    search = Search(birds.hatched)
    assert places({each for _, raw in everything(tmp_path / "source") for each in search(raw)}) == places(
        set(birds.hatched)
    )
    assert places(search((told.out + told.err).encode())) == set()
    left = {name for name, raw in everything(site) if search(raw)}
    assert all(re.match(r"staging/read-", name) for name in left), "what is read of FHIR waits for the next load"
    if left:
        assert stat.S_IMODE((site / "staging").stat().st_mode) == 0o700


def test_notes_that_are_not_cleaned_are_full_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second control: without levers and residual scan, what stood in notes is found, of every kind."""
    monkeypatch.setattr("vitrail.site.load.Cleaner", lambda key: Cleaner(key, levers=()))
    monkeypatch.setattr("vitrail.deid.text.clean.residual", lambda *_: None)
    source = planted("FHIR", 1, tmp_path)
    got = found(source, tmp_path / "site", loaded(source, tmp_path / "site", "safe-harbor"))
    leaked = {each for held in got.values() for each in held if each.place.startswith("a note as ")}
    assert {each.kind for each in leaked} == set(KINDS)
    assert len(leaked) == sum(
        each.place.startswith("a note as ") and "PDF" not in each.place for each in source.canaries
    )


def test_columns_that_are_kept_are_full_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third: where dropped columns are kept, and rare values, their canaries are found."""
    texts = [("person", "person_source_value"), ("note", "note_title"), ("drug_exposure", "sig"), ("location", "city"),
             ("care_site", "care_site_name"), ("provider", "provider_name"), ("measurement", "value_source_value"),
             ("specimen", "specimen_source_id"), ("condition_occurrence", "stop_reason")]  # fmt: skip
    for table, column in texts:
        monkeypatch.setitem(ACTIONS[table], column, "keep")  # type: ignore[index]
    numbers = [("drug_exposure", "refills"), ("measurement", "unit_concept_id"), ("person", "race_concept_id"),
               ("procedure_occurrence", "quantity"), ("provider", "specialty_concept_id")]  # fmt: skip
    source = planted("OMOP", 1, tmp_path)
    got = found(source, tmp_path / "site", loaded(source, tmp_path / "site", "already-deidentified"))
    leaked = {each.place for held in got.values() for each in held}
    assert {f"OMOP's {table} {column}" for table, column in [*texts, *numbers]} <= leaked


def test_known_identifiers_are_what_finds_strange_names(tmp_path: Path) -> None:
    """The fourth: of levers there is the first alone; what it is not told, it misses."""
    birds, cleaner = Aviary(1), Cleaner(b"k" * 32, levers=("known",))
    notes = {kind: [told.replace("{}", birds.hatch(kind, kind)) for _ in range(9)] for kind, (_, told) in KNOWN.items()}
    search = Search(birds.hatched)

    def missed(known: Known | None) -> set[str]:
        texts = [cleaner.clean(each, known, 1, 7).text for held in notes.values() for each in held]
        return places({each for text in texts for each in search(text.encode())})

    by_kind = {kind: tuple(each.text for each in birds.hatched if each.kind == kind) for kind in KNOWN}
    assert missed(Known(by_kind["name"], by_kind["date"], by_kind["mrn"], (*by_kind["phone"], *by_kind["email"]),
                        by_kind["address"])) == set()  # fmt: skip
    assert missed(None) == set(KNOWN)
