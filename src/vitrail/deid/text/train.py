"""Makes the weights of the tagger: ``python -m vitrail.deid.text.train --data DIR --out FILE``.

``DIR`` holds ``asq-phi/queries.txt``, ``carrier-mtsdialog`` and ``carrier-acibench``. Of ASQ-PHI only the train part is
read (a query's part is told by the hash of its text), of the carriers only the files named train. Where the carriers
say 'the patient', a made name is planted; what the rules find there counts as found, and capitals that no list knows
count neither way, for the carriers hold names that nobody marked. The same data give the same weights.
"""

import argparse
import csv
import hashlib
import itertools
import json
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from vitrail.deid.text.clean import Cleaner
from vitrail.deid.text.examples import Piece, full, hospital, place, sentence
from vitrail.deid.text.folding import plain_letters
from vitrail.deid.text.lexicon import lexicon
from vitrail.deid.text.page import Page, page
from vitrail.deid.text.spans import Category, Span
from vitrail.deid.text.tagger import BUCKETS, LABELS, REACH, STRANGE, Floats, Weights, features, keys

Part = Literal["train", "dev", "test"]

KINDS: dict[str, Category] = {
    "NAME": "NAME",
    "GEOGRAPHIC_LOCATION": "LOCATION",
    "DATE": "DATE",
    "MEDICAL_RECORD_NUMBER": "ID",
    "UNIQUE_IDENTIFIER": "ID",
    "HEALTH_PLAN_BENEFICIARY_NUMBER": "ID",
    "SOCIAL_SECURITY_NUMBER": "ID",
    "ACCOUNT_NUMBER": "ID",
    "PHONE_NUMBER": "CONTACT",
    "EMAIL_ADDRESS": "CONTACT",
    "FAX_NUMBER": "CONTACT",
    "URL": "CONTACT",
    "IP_ADDRESS": "CONTACT",
    "AGE": "AGE",
}
"""The types of ASQ-PHI by our categories; another type is an identifier too."""

WIDTH, HIDDEN = 20, 48
SENTENCES, PASSES, BATCH = 120_000, 5, 4096
IGNORED = -1


@dataclass(frozen=True)
class Query:
    """A query of ASQ-PHI with what is marked in it: text and type."""

    text: str
    marked: tuple[tuple[str, str], ...]


def read_queries(path: Path, part: Part) -> list[Query]:
    """The queries of one part, in the file's order."""
    found = []
    for block in path.read_text(encoding="utf-8").split("===QUERY===")[1:]:
        text, _, tags = block.partition("===PHI_TAGS===")
        marked = (json.loads(line) for line in tags.strip().splitlines() if line.strip())
        query = Query(text.strip(), tuple((each["value"], each["identifier_type"]) for each in marked))
        if part_of(query.text) == part:
            found.append(query)
    return found


def part_of(text: str) -> Part:
    """60 % train, 10 % dev, 30 % test, by the first four bytes of the SHA-256 of the text."""
    share = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % 100
    return "train" if share < 60 else "dev" if share < 70 else "test"


def spans_of(query: Query) -> list[Span]:
    """Every place of what is marked."""
    return [
        Span(match.start(), match.end(), KINDS.get(kind, "ID"), "marked")
        for value, kind in sorted(set(query.marked))
        for match in re.finditer(re.escape(value), query.text)
    ]


@dataclass(frozen=True)
class Example:
    """The keys of the words of a text, and the number of each one's label."""

    keys: list[str]
    labels: list[int]


def labelled(text: str, spans: Iterable[Span], doubtful: bool = False) -> Example:
    """A text as an example. ``doubtful``: capitals that no list knows count neither way."""
    text = "".join(plain_letters(each)[:1] or " " for each in text)
    sight = page(text)
    labels = [0] * len(sight.words)
    for span in spans:
        for at, start in enumerate(sight.starts):
            if span.start <= start < span.end:
                labels[at] = LABELS.index(span.category)
    named = keys(sight)
    if doubtful:
        labels = [IGNORED if not label and _doubtful(sight, at) else label for at, label in enumerate(labels)]
    return Example([_estranged(key, label) for key, label in zip(named, labels, strict=True)], labels)


def _estranged(key: str, label: int) -> str:
    """The key, for one common word in eight and for every second name as if no list had it."""
    word = key.lstrip("\n")
    if len(word) < 3 or not word.isalpha() or label not in (0, _NAME):
        return key
    if label == 0 and (len(word) < 4 or word.lower() not in lexicon().common):
        return key
    return key if next(_TURNS) % (2 if label else 8) else key.replace(word, STRANGE + word)


_NAME = LABELS.index("NAME")


_TURNS = itertools.count()


def _doubtful(sight: Page, at: int) -> bool:
    word = sight.words[at]
    strange = word not in lexicon().common and word not in lexicon().terms and word.isalpha() and len(word) > 1
    return (strange and sight.raw[at][0].isupper()) or (
        word in lexicon().names and (strange or sight.raw[at][0].isupper())
    )


def of_pieces(pieces: Iterable[Piece]) -> Example:
    """A made sentence as an example."""
    text, spans = "", []
    for piece, label in pieces:
        if label != "O":
            spans.append(Span(len(text), len(text) + len(piece), label, "made"))  # type: ignore[arg-type]
        text += piece
    return labelled(text, spans)


def of_queries(queries: Iterable[Query], dice: random.Random) -> Iterator[Example]:
    """The queries as they are, and five times with other names and places."""
    for query in queries:
        yield labelled(query.text, spans_of(query))
        for _ in range(5):
            yield of_pieces(_swapped(query, dice))


def _swapped(query: Query, dice: random.Random) -> Iterator[Piece]:
    at = 0
    for span in sorted(spans_of(query)):
        if span.start >= at:
            yield query.text[at : span.start], "O"
            said = query.text[span.start : span.end]
            if span.category == "NAME" and dice.random() < 0.8:
                said = ("Dr. " if said.startswith("Dr") else "") + full(dice.choice("mf"), dice)
            elif span.category == "LOCATION" and dice.random() < 0.6:
                said = dice.choice((hospital, place))("f", dice)
            yield said, span.category
            at = span.end
    yield query.text[at:], "O"


def of_carriers(folder: Path, dice: random.Random) -> Iterator[Example]:
    """The notes of the carriers' train files: as they are and with names planted, and both again in one case."""
    cleaner = Cleaner(bytes(32), levers=("dictionaries", "rules"))
    for name, column in (
        ("carrier-acibench/train.csv", "note"),
        ("carrier-mtsdialog/MTS-Dialog-TrainingSet.csv", "section_text"),
    ):
        with (folder / name).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                for example in (
                    labelled(row[column], cleaner.clean(row[column], None, 0, None).spans, doubtful=True),
                    _planted(row[column], cleaner, dice),
                ):
                    yield example
                    change = dice.choice((str.upper, str.lower))
                    yield Example([change(key) for key in example.keys], example.labels)


def _planted(text: str, cleaner: Cleaner, dice: random.Random) -> Example:
    out, spans, size = [], list[Span](), 0
    for at, part in enumerate(re.split(r"([Tt]he patient\b)", text)):
        said = full(dice.choice("mf"), dice) if at % 2 and dice.random() < 0.7 else part
        if said is not part:
            spans.append(Span(size, size + len(said), "NAME", "made"))
        out.append(said)
        size += len(said)
    planted = "".join(out)
    return labelled(planted, [*cleaner.clean(planted, None, 0, None).spans, *spans], doubtful=True)


@dataclass(frozen=True)
class Material:
    """All examples in one row of words, apart by ``REACH`` empty words, which are word 0."""

    table: sparse.csr_matrix
    words: NDArray[np.int32]
    labels: NDArray[np.int8]


def material(examples: Iterable[Example]) -> Material:
    """The examples as numbers: words by their row in a table of words x buckets."""
    numbers: dict[str, int] = {"": 0}
    stream, labels = [0] * REACH, [IGNORED] * REACH
    for example in examples:
        stream += [numbers.setdefault(key, len(numbers)) for key in example.keys]
        labels += example.labels
        stream += [0] * REACH
        labels += [IGNORED] * REACH
    at = [(row, bucket) for key, row in numbers.items() if key for bucket in features(key)]
    rows, columns = np.array(at).T
    table = sparse.csr_matrix((np.ones(len(at), np.float32), (rows, columns)), shape=(len(numbers), BUCKETS))
    return Material(table, np.array(stream, np.int32), np.array(labels, np.int8))


def begin(generator: np.random.Generator) -> Weights:
    """Small random weights (He et al., ICCV 2015, for the layer that is cut off at 0)."""
    span = (2 * REACH + 1) * WIDTH
    shapes = (
        (BUCKETS, WIDTH, 0.1),
        (span, HIDDEN, (2 / span) ** 0.5),
        (HIDDEN,),
        (HIDDEN, len(LABELS), (1 / HIDDEN) ** 0.5),
        (len(LABELS),),
    )
    arrays = [
        generator.normal(0, shape[2], shape[:2]).astype(np.float32) if len(shape) == 3 else np.zeros(shape, np.float32)
        for shape in shapes
    ]
    return Weights(*arrays)


def gradients(weights: Weights, made: Material, at: NDArray[np.int64]) -> tuple[float, list[Floats]]:
    """The mean cross-entropy at some places of the row, and its derivatives by each array of weights."""
    around = made.words[at[:, None] + np.arange(-REACH, REACH + 1)]
    vectors = np.asarray(made.table @ weights.words)
    window = vectors[around].reshape(len(at), -1)
    hidden = np.maximum(window @ weights.inner + weights.inner_bias, 0)
    scores = hidden @ weights.outer + weights.outer_bias
    chance = np.exp(scores - scores.max(axis=1, keepdims=True))
    chance /= chance.sum(axis=1, keepdims=True)
    truth = made.labels[at].astype(int)
    loss = float(-np.log(chance[np.arange(len(at)), truth] + 1e-9).mean())
    chance[np.arange(len(at)), truth] -= 1
    by_scores = chance / len(at)
    by_hidden = (by_scores @ weights.outer.T) * (hidden > 0)
    by_window = (by_hidden @ weights.inner.T).reshape(-1, WIDTH)
    places = sparse.csr_matrix(
        (np.ones(around.size, np.float32), (around.ravel(), np.arange(around.size))), shape=(len(vectors), around.size)
    )
    by_words = made.table.T @ (places @ by_window)
    return loss, [
        np.asarray(by_words, np.float32),
        window.T @ by_hidden,
        by_hidden.sum(0),
        hidden.T @ by_scores,
        by_scores.sum(0),
    ]


def fit(made: Material, seed: int = 1) -> Weights:
    """The weights by Adam (Kingma and Ba, ICLR 2015) with a rate that falls to zero."""
    generator = np.random.default_rng(seed)
    weights = begin(generator)
    first = [np.zeros_like(array) for array in _arrays(weights)]
    second = [np.zeros_like(array) for array in _arrays(weights)]
    places = np.flatnonzero(made.labels >= 0)
    steps, step = PASSES * (len(places) // BATCH), 0
    for number in range(PASSES):
        losses = []
        for batch in np.array_split(generator.permutation(places), len(places) // BATCH):
            loss, slopes = gradients(weights, made, batch)
            losses.append(loss)
            rate = 0.004 * (1 - step / (steps + PASSES))
            step += 1
            for array, slope, mean, square in zip(_arrays(weights), slopes, first, second, strict=True):
                mean += 0.1 * (slope - mean)
                square += 0.001 * (slope * slope - square)
                array -= rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-7)
        print(f"pass {number + 1} of {PASSES}: loss {np.mean(losses):.4f}")
    weights.words[np.asarray(made.table.sum(axis=0)).ravel() == 0] = 0  # what was never seen says nothing
    return weights


def _arrays(weights: Weights) -> list[Floats]:
    return [getattr(weights, name) for name in Weights.__annotations__]


def write(weights: Weights, path: Path) -> None:
    """The weights as 8-bit integers with one scale for each array, compressed."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for name in Weights.__annotations__:
        array = getattr(weights, name)
        scale = np.abs(array).max(keepdims=True) / np.float32(127)
        arrays[name] = np.round(array / scale).astype(np.int8)
        arrays[f"{name}_scale"] = scale
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def main() -> None:
    """Read, make, fit, write."""
    parser = argparse.ArgumentParser(description="Make the weights of the tagger.")
    parser.add_argument("--data", type=Path, required=True, help="The directory with asq-phi and the carriers.")
    parser.add_argument("--out", type=Path, required=True, help="The .npz file to write.")
    given = parser.parse_args()
    dice = random.Random(20)
    examples = [of_pieces(sentence(dice)) for _ in range(SENTENCES)]
    examples += of_queries(read_queries(given.data / "asq-phi" / "queries.txt", "train"), dice)
    examples += of_carriers(given.data, dice)
    dice.shuffle(examples)
    made = material(examples)
    print(f"{len(examples)} examples, {len(made.words)} words, {made.table.shape[0]} of them different")
    write(fit(made), given.out)


if __name__ == "__main__":
    main()
