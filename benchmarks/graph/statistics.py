r"""What can be said of the difference of two samplers, run by run."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Difference(NamedTuple):
    r"""A mean paired difference, its bootstrap interval at 95%, the p-value of the
    paired t-test, and the number of pairs. (The smallest that Wilcoxon's test can give,
    0.002 for ten pairs, does not survive a correction for a table's many cells.)
    """

    mean: float
    low: float
    high: float
    p_value: float
    num_pairs: int


def paired_difference(
    first: Sequence[float], second: Sequence[float], seed: int = 0
) -> Difference:
    r"""Compares :obj:`second` with :obj:`first`, whose entries belong together.

    Example:
        >>> paired_difference([1.0, 2.0, 3.0, 4.0], [2.0, 2.5, 4.0, 4.5])
        Difference(mean=0.75, low=0.5, high=1.0, p_value=0.0138..., num_pairs=4)
    """
    differences = np.asarray(second) - np.asarray(first)
    if np.ptp(differences) == 0:  # The bootstrap has nothing to draw from.
        mean = float(differences[0])
        p_value = 1.0 if mean == 0 else 0.0
        return Difference(mean, mean, mean, p_value, len(differences))
    interval = stats.bootstrap(
        (differences,), np.mean, method="percentile", rng=np.random.default_rng(seed)
    ).confidence_interval
    return Difference(
        float(differences.mean()),
        float(interval.low),
        float(interval.high),
        float(stats.ttest_1samp(differences, 0.0).pvalue),
        len(differences),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    r"""Corrects p-values for their number (`"A Simple Sequentially Rejective Multiple
    Test Procedure" <https://www.jstor.org/stable/4615733>`_).

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values)
    order = values.argsort()
    steps = values[order] * np.arange(len(values), 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected.round(12).tolist()
