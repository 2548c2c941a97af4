"""Features made ready: what FeatureExtraction's own tests expect, and quantiles against numpy."""

import numpy as np
import pyarrow as pa
import pytest

from vitrail.omop.feature_summary import aggregated, tidied
from vitrail.omop.feature_table import FeatureTable

Cell = tuple[int, int, float]


def table(rows: int, cells: list[tuple[int, ...]], **analysis: object) -> FeatureTable:
    """Features from (row, covariate id, value) or (row, covariate id, value, time id)."""
    row, key, value = (np.array([each[place] for each in cells]) for place in range(3))
    time = np.array([each[3] if len(each) > 3 else 0 for each in cells])
    kinds = [{"analysis_id": each, "is_binary": True, "missing_means_zero": None, **analysis} for each in range(1_000)]
    found = pa.table({"row": row, "covariate_id": key, "time_id": time, "value": value.astype(float)})
    return FeatureTable(rows, found, pa.table({"covariate_id": np.unique(key)}), pa.Table.from_pylist(kinds))


def ids(features: FeatureTable) -> set[int]:
    return set(features.column("covariate_id").tolist())


def test_redundant_and_infrequent_covariates_go_as_featureextraction_expects() -> None:
    """tests/testthat/test-tidyCovariates.R of FeatureExtraction 3.14.0, "tidyCovariates works"."""
    owners = [each for each in range(1, 11) for _ in range(each)]
    cells = [(row, each * 1000 + 1, 1) for row, each in enumerate(owners)]
    cells += [(row, 40002, 1) for row in range(40)] + [(7, 1003, 1)]
    tidy = tidied(table(55, cells), least_share=0.1)
    assert tidy.redundant == ((10001, 0),), "the most frequent of those that share out all rows"
    assert 1001 in ids(tidy.features), "one of those stays, however infrequent"
    assert tidy.infrequent == (1003,)
    assert 40002 in ids(tidy.features)


def test_of_equally_frequent_redundant_covariates_the_first_goes() -> None:
    """The same file, "Removal of redundant covariates is reproducible"."""
    cells = [(row, 1001 + row % 2 * 1000, 1) for row in range(10)]
    assert ids(tidied(table(10, cells), least_share=0, normalise=False).features) == {2001}


def test_what_everybody_has_says_nothing() -> None:
    cells = [(row, 5001, 1) for row in range(4)] + [(row, 6002, 2) for row in range(4)]
    tidy = tidied(table(4, cells))
    assert ids(tidy.features) == {6002}, "a number is no flag, though all have the same"


def test_redundancy_in_windows_is_of_one_window() -> None:
    cells = [(row, 5001, 1, 1) for row in range(4)] + [(0, 5001, 1, 2)]
    tidy = tidied(table(4, cells))
    assert tidy.redundant == ((5001, 1),)
    assert tidy.features.column("time_id").tolist() == [2]


def test_of_an_analysis_that_shares_out_all_rows_the_most_frequent_goes_even_if_it_is_a_number() -> None:
    """R/Normalization.R, 3.14.0: flags decide whether the analysis does; then all its covariates are ranked."""
    cells = [(0, 1001, 1), (1, 1001, 1), (2, 2001, 1), (3, 2001, 1), *((row, 3001, 2) for row in range(3))]
    assert tidied(table(4, cells), least_share=0).redundant == ((3001, 0),)


def test_where_one_that_all_have_is_the_most_frequent_no_other_goes() -> None:
    """The same, with windows: the covariate that goes anyhow is the most frequent of its analysis."""
    everyone = [(row, 1001, 1, 1) for row in range(4)]
    halves = [(row, 2001 + 1000 * (row % 2), 1, 2) for row in range(4)]
    assert tidied(table(4, everyone + halves), least_share=0).redundant == ((1001, 1),)
    assert tidied(table(4, halves), least_share=0).redundant == ((2001, 2),)


def test_values_are_divided_by_the_largest() -> None:
    tidy = tidied(table(9, [(0, 1001, 2), (1, 1001, 8), (2, 2002, 0)]), least_share=0)
    assert tidy.features.column("value").tolist() == [0.25, 1.0, 0.0]
    assert dict(tidy.divisors) == {1001: 8.0, 2002: 0.0}
    plain = tidied(table(9, [(0, 1001, 2)]), least_share=0, normalise=False)
    assert plain.features.column("value").tolist() == [2.0]
    assert not plain.divisors


@pytest.mark.parametrize("zero", [True, False])
def test_numbers_are_summed_up_over_all_rows_or_over_those_recorded(zero: bool) -> None:
    values = np.random.default_rng(3).integers(1, 40, 83).astype(float)
    rows = 107
    cells = [(row, 1920, value) for row, value in enumerate(values)]
    found = aggregated(table(rows, cells, is_binary=False, missing_means_zero=zero)).to_pylist()[0]
    whole = np.concatenate([values, np.zeros(rows - len(values) if zero else 0)])
    assert found["count"] == 83
    assert found["mean"] == pytest.approx(whole.mean(), rel=1e-12)
    assert found["standard_deviation"] == pytest.approx(whole.std(ddof=1), rel=1e-12)
    for name, share in {
        "minimum": 0,
        "p10": 0.1,
        "p25": 0.25,
        "median": 0.5,
        "p75": 0.75,
        "p90": 0.9,
        "maximum": 1,
    }.items():
        assert found[name] == np.quantile(whole, share, method="inverted_cdf"), name


def test_flags_are_counted() -> None:
    found = aggregated(table(8, [(0, 1001, 1), (3, 1001, 1)])).to_pylist()
    assert [(each["count"], each["mean"], each["median"]) for each in found] == [(2, 0.25, None)]


def test_nothing_is_tidy() -> None:
    empty = table(3, [(0, 1001, 1)])
    empty = FeatureTable(3, empty.cells.slice(0, 0), empty.covariates, empty.analyses)
    assert tidied(empty).features.cells.num_rows == aggregated(empty).num_rows == 0
