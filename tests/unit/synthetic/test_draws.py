"""The random numbers of the generator: uniform, independent over persons, streams and seeds, and the same for ever."""

from collections.abc import Iterator
from importlib.resources import files

import duckdb
import numpy as np
import pytest
from scipy import stats

PERSONS = 20_000
STREAMS = 24
GOLDEN = (0.8654696835413513, 0.42384663650123094, -1.4581401688825184)


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute((files("vitrail.synthetic") / "sql" / "draws.sql").read_text())
        yield connection


def _draws(database: duckdb.DuckDBPyConnection, macro: str, seed: int = 7) -> np.ndarray:
    """(persons, streams) draws."""
    columns = ", ".join(f"{macro}(branch({seed}, range), {stream}) AS s{stream}" for stream in range(STREAMS))
    found = database.sql(f"SELECT {columns} FROM range({PERSONS}) ORDER BY range").fetchnumpy()
    return np.column_stack([found[f"s{stream}"] for stream in range(STREAMS)])


def test_every_stream_is_uniform(database: duckdb.DuckDBPyConnection) -> None:
    draws = _draws(database, "uniform")
    assert 0 < draws.min() < draws.max() < 1
    # The smallest of 24 p-values is below 1e-5 once in 4,000 sound generators; the seed is fixed.
    assert min(stats.kstest(column, "uniform").pvalue for column in draws.T) > 1e-5
    assert stats.kstest(draws.ravel(), "uniform").pvalue > 1e-4


def test_the_last_bits_are_uniform_too(database: duckdb.DuckDBPyConnection) -> None:
    last = (_draws(database, "uniform") * 2**20) % 1
    assert stats.kstest(last.ravel(), "uniform").pvalue > 1e-4


def test_normals_are_normal(database: duckdb.DuckDBPyConnection) -> None:
    draws = _draws(database, "normal")[:, ::2]
    assert min(stats.kstest(column, "norm").pvalue for column in draws.T) > 1e-5


def test_streams_and_neighbours_are_uncorrelated(database: duckdb.DuckDBPyConnection) -> None:
    draws = _draws(database, "uniform")
    limit = 5 / np.sqrt(PERSONS)  # 5 standard errors of a correlation of 0
    between_streams = np.corrcoef(draws.T) - np.eye(STREAMS)
    assert np.abs(between_streams).max() < limit
    squares = np.corrcoef(((draws - 0.5) ** 2).T) - np.eye(STREAMS)
    assert np.abs(squares).max() < limit
    between_neighbours = [np.corrcoef(draws[:-1, s], draws[1:, s])[0, 1] for s in range(STREAMS)]
    assert np.abs(between_neighbours).max() < limit


def test_pairs_of_streams_fill_the_square(database: duckdb.DuckDBPyConnection) -> None:
    """What correlations do not see: 16 x 16 cells of every pair of neighbouring streams hold the same number."""
    draws = _draws(database, "uniform")
    for first, second in zip(draws.T, draws.T[1:], strict=False):
        cells = np.histogram2d(first, second, bins=16, range=[[0, 1], [0, 1]])[0]
        assert stats.chisquare(cells.ravel()).pvalue > 1e-5


def test_another_seed_gives_other_people(database: duckdb.DuckDBPyConnection) -> None:
    first, second = (_draws(database, "uniform", seed) for seed in (7, 8))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 5 / np.sqrt(first.size)


def test_the_numbers_stay_what_they_were(database: duckdb.DuckDBPyConnection) -> None:
    """If this fails, DuckDB's hash() has changed: all people change, the truth does not. Write the new numbers down."""
    found = database.sql("SELECT uniform(branch(42, 1), 1), uniform(branch(42, 1), 2), normal(branch(42, 2), 1)")
    assert found.fetchone() == pytest.approx(GOLDEN, abs=1e-15)
