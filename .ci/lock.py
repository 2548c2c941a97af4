"""Writes requirements.lock and requirements-dev.lock: exact versions, and the hashes of their wheels.

pip chooses the versions for this machine; then it is asked for the wheels of the same versions on the other platforms
that Vitrail supports. A platform that lacks a wheel is named and left out. Only pip is asked, so packages come from
wherever this machine's pip takes them; no address is written down.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.12", "3.13")
MACHINES = (
    ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"),
    ("macosx_14_0_arm64", "macosx_11_0_arm64"),
)
Pins = dict[str, str]
Hashes = dict[str, set[str]]


def report(arguments: list[str]) -> list[dict[str, object]]:
    """What pip would install. Raises CalledProcessError where it cannot."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--disable-pip-version-check", "--only-binary", ":all:", "--report", str(file), *arguments]
        subprocess.run(command, check=True, capture_output=True)
        return list(json.loads(file.read_text())["install"])


def wheels(arguments: list[str]) -> dict[tuple[str, str], str]:
    """Name and version of each package, and the SHA-256 of its wheel."""
    found = {}
    for item in report(arguments):
        metadata, download = item["metadata"], item["download_info"]
        name = metadata["name"].lower().replace("_", "-").replace(".", "-")
        found[name, metadata["version"]] = download["archive_info"]["hashes"]["sha256"]
    return found


def chosen(requirements: list[str]) -> tuple[Pins, Hashes]:
    """Versions that fit all ``requirements`` on this machine, and the hashes of their wheels everywhere."""
    here = wheels(requirements)
    pins, hashes = dict(here.keys()), {name: {digest} for (name, _), digest in here.items()}
    for python in PYTHONS:
        for machine in MACHINES:
            elsewhere(pins, hashes, python, machine)
    return pins, hashes


def elsewhere(pins: Pins, hashes: Hashes, python: str, machine: tuple[str, ...]) -> None:
    """Add the hashes of one platform's wheels to ``hashes``."""
    platform = [word for name in machine for word in ("--platform", name)]
    where = ["--python-version", python, *platform, "--no-deps", "--target", "unused"]
    exact = [f"{name}=={version}" for name, version in pins.items()]
    try:
        found = wheels([*where, *exact])
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.decode().splitlines() if line.startswith("ERROR")]
        print(f"Python {python} on {machine[0]} is left out: {lines[-1:]}")
        return
    for (name, _), digest in found.items():
        hashes[name].add(digest)


def text(pins: Pins, hashes: Hashes, names: list[str]) -> str:
    """The lock file's lines for ``names``."""
    allowed = {name: [f"    --hash=sha256:{each}" for each in sorted(hashes[name])] for name in names}
    return "".join(" \\\n".join([f"{name}=={pins[name]}", *allowed[name]]) + "\n" for name in names)


def core_names(core: list[str], pins: Pins) -> set[str]:
    """The packages that the core needs, in the versions of ``pins``."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("".join(f"{name}=={version}\n" for name, version in pins.items()))
        constraints.flush()
        return {name for name, _ in wheels([*core, "--constraint", constraints.name])}


def main() -> None:
    """Write both files."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    core = settings["project"]["dependencies"] + settings["build-system"]["requires"]
    pins, hashes = chosen(core + settings["project"]["optional-dependencies"]["dev"])
    in_core = core_names(core, pins)
    for file, what, names in (
        ("requirements.lock", "the core", in_core),
        ("requirements-dev.lock", "what the tests need beside the core", pins.keys() - in_core),
    ):
        (ROOT / file).write_text(f"# Written by `make lock`: {what}.\n" + text(pins, hashes, sorted(names)))


if __name__ == "__main__":
    main()
