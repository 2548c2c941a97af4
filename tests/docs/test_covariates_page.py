"""The page on covariates tells the truth: its table is that of the code, its example is read."""

from pathlib import Path

import yaml

from vitrail.study.features import Analysis, Features, analyses


def row(each: Analysis, temporal: bool) -> str:
    start = {"end": "overlapping", "": "own" if temporal and each.table else ""}.get(each.window, each.window)
    kind = "0 or 1" if each.binary else "a number"
    default = "yes" if each.default else ""
    return f"| {each.id} | `{each.name}` | {each.table} | {start} | {kind} | {default} |"


def table() -> str:
    """Every analysis that can be asked for, as the page has it."""
    lines = []
    for title, temporal in (("With fixed windows", False), ("With windows of one's own", True)):
        lines += [
            f"### {title}",
            "",
            "| id | name | table | window | covariates | default |",
            "|---|---|---|---|---|---|",
        ]
        lines += [*(row(each, temporal) for each in analyses(temporal).values()), ""]
    return "\n".join(lines)


def test_the_table_of_analyses_is_that_of_the_code(root: Path) -> None:
    page = (root / "docs/reference/covariates.md").read_text()
    assert page.split("<!-- analyses -->\n")[1].strip() == table().strip()


def test_the_example_is_read(root: Path) -> None:
    page = (root / "docs/reference/covariates.md").read_text()
    example = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    example["analyses"] = tuple(example["analyses"])
    assert [each.id for each in Features.model_validate(example).asked()] == [1, 410, 706]
