"""Making a node's directory."""

from pathlib import Path

from vitrail.store.making import making


def test_a_new_directory_opens_for_its_owner_alone(tmp_path: Path) -> None:
    """What was decided and what left lie in it; others at the machine need none of that."""
    with making(tmp_path / "north", "site.json"):
        assert (tmp_path / "north").stat().st_mode & 0o077 == 0


def test_one_that_is_there_stays_as_open_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "north").mkdir(mode=0o750)
    with making(tmp_path / "north", "site.json"):
        assert (tmp_path / "north").stat().st_mode & 0o777 == 0o750
        assert (tmp_path / "north" / "keys").stat().st_mode & 0o077 == 0
