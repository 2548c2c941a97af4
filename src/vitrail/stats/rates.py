"""Rates of events over time."""

from scipy.special import chdtri  # scipy.stats would take a second to import, at every start of a node


def poisson_interval(events: int, level: float = 0.95) -> tuple[float, float]:
    """The exact confidence interval of a Poisson mean of which ``events`` were seen.

    Source: Garwood F. Biometrika 1936;28:437-442, in the chi-squared form. Divide by the time at risk for a rate.
    """
    tail = (1 - level) / 2
    low = float(chdtri(2 * events, 1 - tail)) / 2 if events else 0.0
    return low, float(chdtri(2 * events + 2, tail)) / 2
