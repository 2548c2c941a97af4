"""`python -m vitrail.cli` is `vitrail`."""

from vitrail.cli import main

main()
