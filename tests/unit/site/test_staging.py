"""The staging area is there while a load runs; what a load is to go on with outlasts it until one succeeds."""

from pathlib import Path

import pytest

from vitrail.site.directory import SiteDirectory
from vitrail.site.staging import kept_for, staging


@pytest.fixture
def site(tmp_path: Path) -> SiteDirectory:
    (tmp_path / "snapshots").mkdir()
    return SiteDirectory(tmp_path, "north")


def left(site: SiteDirectory) -> list[str]:
    return sorted(str(path.relative_to(site.path)) for path in site.path.glob("staging/*"))


def interrupted(site: SiteDirectory, source: str) -> Path:
    """What was read by a load that did not get far."""
    kept = kept_for(site, source)
    with staging(site, [], kept):
        kept.mkdir()
        (kept.parent / "spill").mkdir(exist_ok=True)
        (kept.parent / "raw").write_text("a name")
    return kept


def test_only_what_is_to_be_gone_on_with_stays(site: SiteDirectory) -> None:
    kept = interrupted(site, "one")
    assert left(site) == [f"staging/{kept.name}"]
    with staging(site, [], kept):
        assert kept.exists()
    assert kept.exists()


def test_the_load_of_another_source_removes_it(site: SiteDirectory) -> None:
    one, two = interrupted(site, "one"), kept_for(site, "two")
    with staging(site, [], two):
        assert not one.exists()


def test_whoever_does_not_go_on_removes_it(site: SiteDirectory) -> None:
    """An erasure above all: the person may be in it."""
    interrupted(site, "one")
    with staging(site, []):
        assert left(site) == []
    assert not (site.path / "staging").exists()


def test_an_error_leaves_nothing_where_nothing_was_kept(site: SiteDirectory) -> None:
    with pytest.raises(ZeroDivisionError), staging(site, [], kept_for(site, "one")):
        raise ZeroDivisionError
    assert not (site.path / "staging").exists()
