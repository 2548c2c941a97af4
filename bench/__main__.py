"""`python -m bench`: a federated fit beside statsmodels' pooled one, and cohorts on DuckDB beside pandas by hand.

Each side runs in a process of its own, so that its peak memory is its own; sides take turns, five times, and the
median counts. Prints a Markdown table; `docs/benchmarks.md` keeps the latest.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PERSONS = 40_000
REPEATS = 5
STUDY = Path(__file__).parents[1] / "studies" / "early-ckd" / "study.yaml"
NAME = "who will fall ill"


def main() -> None:
    """Make the people once, then let each side run in turn."""
    if len(sys.argv) == 3:
        print(json.dumps(measured(SIDES[sys.argv[1]], Path(sys.argv[2]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
        for _ in range(REPEATS):
            for side in SIDES:
                runs[side].append(alone(side, Path(folder)))
    print(table(runs))


def make(folder: Path) -> None:
    """People of one system, and their index dates as a file that both fits read."""
    import numpy as np

    from vitrail.analyses.predict.design import design
    from vitrail.synthetic.generate import generate
    from vitrail.synthetic.systems import SYSTEMS

    generate(folder / "omop", SYSTEMS["community"], persons=PERSONS, seed=1)
    study, engine = opened(folder)
    dates = design(study.analyses[NAME], engine, study.id).free  # type: ignore[arg-type]
    np.savez(folder / "dates.npz", X=dates.X, y=dates.y, person=dates.person)


def opened(folder: Path) -> tuple[Any, Any]:
    """The flagship study, and the engine over the people."""
    from vitrail.omop.engines.duckdb import DuckDBEngine
    from vitrail.study.reader import read_study

    study = read_study(STUDY)
    return study, DuckDBEngine(study, {file.stem: file for file in (folder / "omop").glob("*.parquet")})


def federated_fit(folder: Path) -> tuple[Callable[[], Any], Callable[[Any], float]]:
    """Newton rounds over two sites that hold half the people each; the sums alone are added up."""
    import numpy as np

    from vitrail.stats import newton
    from vitrail.stats.logistic import evaluate

    held = np.load(folder / "dates.npz")
    X, y, half = held["X"], held["y"], held["person"] % 2 == 0
    sites = [(np.asfortranarray(X[mask]), y[mask]) for mask in (half, ~half)]

    def fit() -> Any:
        def total(coefficients: Any) -> Any:
            return newton.total([evaluate(each, outcome, coefficients) for each, outcome in sites])

        return newton.maximise(total, np.zeros(X.shape[1]), 1e-8, 50)

    return fit, lambda state: float(state.best.coefficients[1])


def pooled_fit(folder: Path) -> tuple[Callable[[], Any], Callable[[Any], float]]:
    """statsmodels on all rows together."""
    import numpy as np
    import statsmodels.api as sm

    held = np.load(folder / "dates.npz")
    X, y = np.ascontiguousarray(held["X"]), held["y"].astype(float)
    return lambda: sm.Logit(y, X).fit(method="newton", tol=1e-12, disp=0), lambda fitted: float(fitted.params[1])


def duckdb_cohort(folder: Path) -> tuple[Callable[[], Any], Callable[[Any], float]]:
    """The flagship's index dates by the default engine, from files to rows; as with pandas, imports are not counted."""
    import vitrail.omop.engines.duckdb
    import vitrail.study.reader  # noqa: F401

    def rows() -> Any:
        _, engine = opened(folder)
        return engine.cohort("at risk")

    return rows, lambda found: float(len(found))


def pandas_cohort(folder: Path) -> tuple[Callable[[], Any], Callable[[Any], float]]:
    """The same index dates by pandas, written out by hand for this one study."""
    import pandas as pd

    def read(name: str, columns: list[str]) -> Any:
        return pd.read_parquet(folder / "omop" / f"{name}.parquet", columns=columns)

    def below(concept: int) -> set[int]:
        closure = read("concept_ancestor", ["ancestor_concept_id", "descendant_concept_id"])
        return {concept, *closure.descendant_concept_id[closure.ancestor_concept_id == concept]}

    def confirmed(values: Any, low: int, high: int | None) -> Any:
        pairs = values.merge(values, on="person_id", suffixes=("", "_before"))
        gap = (pairs.date - pairs.date_before).dt.days
        return pairs[(gap >= low) & (gap <= high if high is not None else True)].groupby("person_id").date.min()

    def rows() -> Any:
        period = read(
            "observation_period", ["person_id", "observation_period_start_date", "observation_period_end_date"]
        )
        period.columns = ["person_id", "since", "until"]
        condition = read("condition_occurrence", ["person_id", "condition_concept_id", "condition_start_date"])
        condition.columns = ["person_id", "concept", "date"]
        lab = read("measurement", ["person_id", "measurement_concept_id", "measurement_date", "value_as_number"])
        lab.columns = ["person_id", "concept", "date", "value"]
        visit = read("visit_occurrence", ["person_id", "visit_start_date"])
        visit.columns = ["person_id", "date"]
        for frame in (condition, lab, visit):
            frame["date"] = pd.to_datetime(frame.date)
        for column in ("since", "until"):
            period[column] = pd.to_datetime(period[column])
        diabetes_codes = below(2000000010) - below(2000000015) - below(2000000016)
        coded = condition[condition.concept.isin(diabetes_codes)].groupby("person_id").date.min()
        high = lab[lab.concept.isin(below(2000002002)) & (lab.value >= 6.5)][["person_id", "date"]]
        diabetes = pd.concat([coded, confirmed(high, 1, 730)]).groupby("person_id").min()
        known = condition[condition.concept.isin(below(2000000031))].groupby("person_id").date.min()
        low = lab[lab.concept.isin(below(2000002001)) & (lab.value < 60)][["person_id", "date"]]
        kidney = pd.concat([known, confirmed(low, 90, None)]).groupby("person_id").min()
        seen = visit.merge(period, on="person_id")
        seen = seen[(seen.date - seen.since >= pd.Timedelta(days=365)) & (seen.date <= seen.until)]
        first = seen.groupby(["person_id", seen.date.dt.year]).date.min().reset_index(level=0)
        first["diabetes"], first["kidney"] = first.person_id.map(diabetes), first.person_id.map(kidney)
        return first[(first.diabetes <= first.date) & ~(first.kidney <= first.date)]

    return rows, lambda found: float(len(found))


SIDES = {
    "fit: federated, 2 sites": federated_fit,
    "fit: statsmodels, pooled": pooled_fit,
    "index dates: vitrail on DuckDB": duckdb_cohort,
    "index dates: pandas by hand": pandas_cohort,
}


def measured(
    side: Callable[[Path], tuple[Callable[[], Any], Callable[[Any], float]]], folder: Path
) -> dict[str, float]:
    """One run of a side: wall and CPU seconds of the work alone, peak memory of the process, and its answer."""
    work, answer = side(folder)
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    status = Path("/proc/self/status").read_text()  # of this program alone; getrusage's goes back to before exec
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    return {"wall": wall, "cpu": cpu, "peak": peak, "answer": answer(found)}


def alone(side: str, folder: Path) -> dict[str, float]:
    """A run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", side, str(folder)], capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout))


def table(runs: dict[str, list[dict[str, float]]]) -> str:
    """Medians, with the range of wall time, and the answers, which peers must share."""
    lines = ["| what | wall s (range) | CPU s | peak MB | answer |", "|---|---|---|---|---|"]
    for side, each in runs.items():
        wall = sorted(run["wall"] for run in each)
        middle = {key: statistics.median(run[key] for run in each) for key in ("cpu", "peak", "answer")}
        lines.append(
            f"| {side} | {statistics.median(wall):.3f} ({wall[0]:.3f} to {wall[-1]:.3f}) | {middle['cpu']:.3f} "
            f"| {middle['peak']:.0f} | {middle['answer']:.10g} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
