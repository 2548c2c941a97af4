"""`python -m vitrail.cli` is `vitrail`: the process of the command line."""

import sys
from importlib.machinery import ModuleSpec

from vitrail.cli import main


class _NoPandas:
    """Vitrail needs no pandas. DuckDB and Arrow load it wherever it is installed, which takes them 0.4 s."""

    @staticmethod
    def find_spec(name: str, *_: object) -> ModuleSpec | None:
        if name == "pandas":
            raise ModuleNotFoundError(name)
        return None


def start() -> None:
    """Run the command line in a process of its own."""
    sys.meta_path.insert(0, _NoPandas)
    main()


if __name__ == "__main__":
    start()
