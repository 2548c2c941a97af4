"""Circe: the cohort definitions of OHDSI as ATLAS, WebAPI and the PhenotypeLibrary write them, in and out.

``read_circe`` and ``parse_circe`` understand a definition whole or refuse it by name; ``write_circe`` says ours so that
the reference implementation gives the same rows. Which field is which stands in ``vitrail.study.circe.table``.
"""

from vitrail.study.circe.reading import parse_circe, read_circe
from vitrail.study.circe.writing import write_circe

__all__ = ["parse_circe", "read_circe", "write_circe"]
