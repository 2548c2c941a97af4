"""The page on mapping files tells the truth: its example loads, and every field is explained."""

import re
from pathlib import Path

import duckdb

from vitrail.deid.columns import wanted
from vitrail.ingest import mapping as words
from vitrail.ingest.mapping_file import BASED_ON
from vitrail.ingest.source import ingest
from vitrail.study.word import Word

PEOPLE = """\
mrn,admitted,sex,age,score,weight,height,died
A-1,01.02.2019,f,60,2,80.5,170,NA
A-2,03.02.2019,m,70,0,?,180,31.12.2020
"""
LABS = """\
mrn;stay;taken;left;code;result;unit
A-1;1;2019-02-01 10:00:00;2019-02-03;HB;120;g/l
A-1;2;2019-03-01;2019-03-01;SMOKE;1;
A-2;3;2019-02-03;2019-02-03;NA1;140;mmol/l
"""


def page(root: Path) -> str:
    return (root / "docs/reference/mapping.md").read_text()


def test_the_example_loads_every_row(tmp_path: Path, root: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", page(root), re.DOTALL)
    (tmp_path / "mapping.yaml").write_text(example)
    (tmp_path / "source" / "labs").mkdir(parents=True)
    (tmp_path / "source" / "people.csv").write_text(PEOPLE)
    (tmp_path / "source" / "labs" / "results.csv").write_text(LABS)
    (tmp_path / "words").mkdir()
    (written,) = re.findall(r"```\n(concept_id.*?)```", page(root), re.DOTALL)
    (tmp_path / "words" / "CONCEPT.csv").write_text(written)
    with duckdb.connect(config={"threads": 1}) as db:
        extract = ingest(db, tmp_path / "source", "csv", tmp_path / "mapping.yaml", tmp_path / "words", wanted(), print)
        counts = {
            table: db.execute(f"SELECT count(*) FROM extract.{table}").fetchall()[0][0]
            for table in ("person", "visit_occurrence", "condition_occurrence", "measurement", "observation", "death")
        }
    assert extract.quarantined == ()
    assert extract.rows_loaded == {"concept": 2, "people": 2, "labs": 3}
    assert counts == {"person": 2, "visit_occurrence": 3, "condition_occurrence": 1, "measurement": 5,
                      "observation": 1, "death": 1}  # fmt: skip


def test_every_field_is_explained(root: Path) -> None:
    text = page(root)
    kinds = [each for each in vars(words).values() if isinstance(each, type) and issubclass(each, Word)]
    fields = {name for kind in kinds for name in kind.model_fields if kind is not Word} | {BASED_ON}
    assert len(fields) > 40
    assert not sorted(name for name in fields if not re.search(rf"\b{name}\b", text))
