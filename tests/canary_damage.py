"""Sources with canaries that no load can get through: each ends in a message, which must not tell any of them."""

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.canaries import Aviary
from tests.canary_tables import MAPPING

Options = tuple[object, ...]

PERSON = "person_id,gender_concept_id,year_of_birth,race_concept_id,ethnicity_concept_id"


def _omop(source: Path, **files: str) -> Options:
    held = {"person": f"{PERSON}\n" + "".join(f"{n},8532,1958,0,0\n" for n in range(1, 30)), **files}
    for name, text in held.items():
        (source / f"{name}.csv").write_text(text)
    return (source, "--format", "omop")


def _no_header(birds: Aviary, source: Path) -> Options:
    return _omop(source, person=f"{birds.hatch('no header', 'mrn')},{birds.hatch('no header', 'name')},1958,0,0\n")


def _open_quote(birds: Aviary, source: Path) -> Options:
    return _omop(source, person=f'{PERSON}\n1,"{birds.hatch("an open quote", "name")},1958,0,0\n2,8532,1958,0,0\n')


def _one_header_twice(birds: Aviary, source: Path) -> Options:
    name = birds.hatch("a header that is there twice", "name")
    return _omop(source, person=f"{PERSON},{name},{name}\n")


def _no_text(birds: Aviary, source: Path) -> Options:
    options = _omop(source)
    (source / "person.csv").write_bytes(
        f"{PERSON},{birds.hatch('a header in no encoding', 'name')}\xff\n".encode("latin-1")
    )
    return options


def _no_parquet(birds: Aviary, source: Path) -> Options:
    (source / "person.parquet").write_bytes(b"PAR1" + birds.hatch("Parquet that is cut off", "name").encode())
    return (source, "--format", "omop")


def _strange_part(birds: Aviary, source: Path) -> Options:
    parts = source / "person"
    parts.mkdir()
    (parts / f"{birds.hatch('the name of a part', 'name')}.txt").write_text(birds.hatch("a part", "mrn"))
    return (source, "--format", "omop")


def _no_gzip(birds: Aviary, source: Path) -> Options:
    packed = gzip.compress(f"{PERSON},{birds.hatch('a packed file that is cut off', 'name')}\n".encode() * 9)
    (source / "person.csv.gz").write_bytes(packed[:-9])
    (source / "text").write_bytes(gzip.compress(birds.hatched[-1].text.encode()))
    return (source, "--format", "omop")


def _strange_file(birds: Aviary, source: Path) -> Options:
    options = _omop(source)
    called = f"{birds.hatch('the name of a file that cannot be read', 'name')}.parquet"
    (source / called).write_text(birds.hatch("a file that cannot be read", "mrn"))
    return options


def _nobody(birds: Aviary, source: Path) -> Options:
    return _omop(source, person=f"{PERSON},x\n1,8532,{birds.hatch('a table of nobody', 'name')},0,0,\n")


def _few(birds: Aviary, source: Path) -> Options:
    period = "observation_period_id,person_id,observation_period_start_date,observation_period_end_date,"
    period += "period_type_concept_id,x\n"
    return _omop(
        source, observation_period=f"{period}1,1,2012-01-01,2019-01-01,0,{birds.hatch('too few people', 'name')}\n"
    )


def _merges(birds: Aviary, source: Path) -> Options:
    options = _omop(source)
    (source / "merges").write_text(
        f"old_person_id,person_id\n{birds.hatch('a merge', 'name')},{birds.hatch('a merge', 'mrn')}\n"
    )
    return (*options, "--merges", source / "merges")


def _merged_in_a_circle(birds: Aviary, source: Path) -> Options:
    one, two = birds.hatch("a merge in a circle", "mrn"), birds.hatch("a merge in a circle", "mrn")
    (source / "merges").write_text(f"old_person_id,person_id\n{one},{two}\n{two},{one}\n")
    return (*_omop(source), "--merges", source / "merges")


def _parent(birds: Aviary, source: Path) -> Options:
    words = source / "words"
    words.mkdir()
    concept = f"concept_id,concept_name,domain_id,parent\n2000000001,x,Condition,{birds.hatch('a parent', 'name')}\n"
    (words / "CONCEPT.csv").write_text(concept)
    return (*_omop(source), "--vocabulary", words)


def _mapping(birds: Aviary, source: Path) -> Options:
    text = MAPPING.replace("day}", f"day, {birds.hatch('a field of a mapping', 'name')}: 1}}")
    text = text.replace("sex: {column", f"sex: {{codes: {{x: {birds.hatch('a code of a mapping', 'name')}}}, column")
    (source / "mapping.yaml").write_text(
        text.replace("origin: {", f"origin: {{at: {birds.hatch('a word of a mapping', 'mrn')}, ")
    )
    return (source, "--format", "csv", "--mapping", source / "mapping.yaml")


def _mapped(birds: Aviary, source: Path) -> Options:
    (source / "mapping.yaml").write_text(MAPPING)
    (source / "people.csv").write_text(
        f"{birds.hatch('a header that no mapping knows', 'name')}\n{birds.hatch('a cell', 'mrn')}\n"
    )
    return (source, "--format", "csv", "--mapping", source / "mapping.yaml")


def _synthea(birds: Aviary, source: Path) -> Options:
    (source / "patients.csv").write_text(
        f"Id,{birds.hatch('a header of Synthea', 'name')}\n{birds.hatch('an id', 'mrn')},x\n"
    )
    return (source, "--format", "synthea")


def _no_fhir(birds: Aviary, source: Path) -> Options:
    (source / f"{birds.hatch('the name of what is no FHIR', 'name')}.xml").write_text(
        birds.hatch("what is no FHIR", "name")
    )
    return (source, "--format", "fhir")


def _few_of_fhir(birds: Aviary, source: Path) -> Options:
    patient = f'{{"resourceType": "Patient", "id": "{birds.hatch("the only id", "mrn")}"}}\n'
    (source / f"{birds.hatch('the name of a file of one', 'name')}.ndjson").write_text(patient)
    return (source, "--format", "fhir")


def _leading_out(birds: Aviary, source: Path) -> Options:
    (source.parent / "elsewhere.json").write_text("{}")
    (source / f"{birds.hatch('the name of a link', 'name')}.json").symlink_to(source.parent / "elsewhere.json")
    return (source, "--format", "fhir")


def _no_duckdb(birds: Aviary, source: Path) -> Options:
    (source / "cdm.duckdb").write_text(birds.hatch("what is no database", "name"))
    return (source / "cdm.duckdb", "--format", "omop")


DAMAGES: Mapping[str, Callable[[Aviary, Path], Options]] = {
    each.__name__.strip("_").replace("_", " "): each
    for each in (
        _no_header, _open_quote, _one_header_twice, _no_text, _no_parquet, _strange_part, _no_gzip, _strange_file,
        _nobody, _few, _merges, _merged_in_a_circle, _parent, _mapping, _mapped, _synthea, _no_fhir, _few_of_fhir,
        _leading_out, _no_duckdb,
    )
}  # fmt: skip
"""What is wrong, by name: writes a source, and says how it is loaded."""
