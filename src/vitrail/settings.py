"""Configuration from the environment: few names, each with a default that works."""

import os

DEFAULT_PORT = 8470
"""Where a hub listens that was told nothing else."""


def hub() -> str:
    """The hub that commands without ``--hub`` speak to: ``VITRAIL_HUB``, else the default port of this machine."""
    return os.environ.get("VITRAIL_HUB", f"http://127.0.0.1:{DEFAULT_PORT}")


def debug() -> bool:
    """Whether an unexpected error shows where in the program it happened: ``VITRAIL_DEBUG`` set to anything."""
    return bool(os.environ.get("VITRAIL_DEBUG"))
