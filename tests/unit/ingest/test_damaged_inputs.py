"""A damaged source is refused with a typed error or loaded with counted quarantine: in bounded memory and time, and
without a word of what is in it."""

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.unit.ingest import damage
from tests.unit.ingest.damage import BOMBS, CANARY, DAMAGES, KINDS, write
from vitrail.deid.columns import wanted
from vitrail.errors import SourceError
from vitrail.ingest.extract import Extract
from vitrail.ingest.source import ingest, whole

MEMORY_MB = 1_000
SECONDS = 60


@pytest.fixture
def quiet(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Nothing is printed that holds the canary, by Python or below it."""
    yield
    out, err = capfd.readouterr()
    assert CANARY not in out + err


def peak_mb(reset: bool = False) -> int:
    """The most memory that this process has held since the last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024


def load(source: Path, scratch: Path) -> Extract:
    """Ingest as a site does, locked down, and read every row of the extract."""
    scratch.mkdir()
    config = {"memory_limit": "500MB", "temp_directory": str(scratch), "threads": 2}
    with duckdb.connect(config=config) as db, whole([source]):
        place = str(source.resolve())
        db.execute("SET allowed_directories = $1", [[str(scratch.resolve()), *([] if source.is_file() else [place])]])
        db.execute("SET allowed_paths = $1", [[place, f"{place}.wal"]])
        db.execute("SET enable_external_access = false")
        extract = ingest(db, source, "omop", None, None, wanted(), lambda _: None)
        for name in wanted():
            db.execute(f"CREATE TABLE t AS SELECT * FROM extract.{name}")
            db.execute("DROP TABLE t")
        return extract


def told(source: Path, scratch: Path) -> str:
    """All words that come of loading a source. What is loaded must add up."""
    try:
        extract = load(source, scratch)
    except SourceError as error:
        return str(error)
    assert all(each.rows_in == each.loaded + sum(f.rows for f in each.quarantined) for each in extract.accounts)
    return repr((extract.accounts, extract.ignored, extract.derived))


def attempt(kind: str, seed: int, folder: Path) -> tuple[str, int, float]:
    """Damage a source and load it: what was told, how many MB more it took, and how many seconds."""
    rng = random.Random(f"{kind} {seed}")
    folder.mkdir()
    source = write(folder / "source", kind)
    chosen = rng.choice(DAMAGES[kind])
    chosen(rng, source)
    before, began = peak_mb(reset=True), time.monotonic()
    signal.alarm(SECONDS)
    try:
        words = told(source, folder / "scratch")
    except BaseException as error:
        raise AssertionError(f"{kind} {seed} {getattr(chosen, '__name__', chosen)}: {type(error).__name__}") from error
    finally:
        signal.alarm(0)
    assert CANARY not in words, f"{kind} {seed} {chosen.__name__}: {words}"
    return words, peak_mb() - before, time.monotonic() - began


def attempts(folder: Path, seeds: range) -> list[tuple[str, int, float]]:
    done = []
    for seed in seeds:
        kind = KINDS[seed % len(KINDS)]
        done.append(attempt(kind, seed, folder / f"{seed}"))
        assert done[-1][1] < MEMORY_MB, f"{kind} {seed}: {done[-1]}"
    return done


@pytest.mark.parametrize("block", range(6))
def test_a_damaged_source_is_refused_or_counted(tmp_path: Path, quiet: None, block: int) -> None:
    attempts(tmp_path, range(block * 10, block * 10 + 10))


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_a_thousand_damaged_sources(tmp_path: Path, quiet: None, block: int) -> None:
    done = attempts(tmp_path, range(1000 + block * 50, 1050 + block * 50))
    refused = sum(words.startswith("/") or "(Account(" not in words for words, _, _ in done)
    print(f"refused {refused} of {len(done)}; at most {max(d[1] for d in done)} MB, {max(d[2] for d in done):.1f} s")


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused(tmp_path: Path, kind: str) -> None:
    source = write(tmp_path / "source", kind)
    damage.bomb(random.Random(1), source)
    before = peak_mb(reset=True)
    with pytest.raises(SourceError, match=r"unpacks to more|more rows than can be"):
        load(source, tmp_path / "scratch")
    assert peak_mb() - before < MEMORY_MB
    assert sum(path.stat().st_size for path in (tmp_path / "scratch").rglob("*") if path.is_file()) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_undamaged_source_loads_whole(tmp_path: Path, kind: str) -> None:
    """The control: what the damages start from is loaded, every row."""
    extract = load(write(tmp_path / "source", kind), tmp_path / "scratch")
    loaded = {each.source: each.loaded for each in extract.accounts}
    assert loaded == {"person": 20, "observation_period": 20, "measurement": 60, "note_nlp": 0}
