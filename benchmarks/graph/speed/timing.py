r"""Times of several ways to do the same thing, measured in turn."""

import gc
import time
from collections.abc import Callable, Mapping
from statistics import median, quantiles
from typing import Any


def side_by_side(
    ways: Mapping[str, Callable[[], Any]],
    *,
    num_repetitions: int = 7,
    num_warmups: int = 1,
    max_seconds: float = 60.0,
) -> dict[str, Any]:
    r"""Calls every way once in each repetition, in turn, so that whatever else the
    machine does befalls all alike.

    The first way is the plain one. After :obj:`max_seconds`, no further repetition
    begins.

    Returns:
        dict: The :obj:`median` seconds of every way with their :obj:`low` and
        :obj:`high` quartiles, and by how much each is faster than the first:
        the median over repetitions of the :obj:`ratio`, and its quartiles.
    """
    for _ in range(num_warmups):
        for run in ways.values():
            run()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    began = time.perf_counter()
    for repetition in range(num_repetitions):
        if repetition > 0 and time.perf_counter() - began > max_seconds:
            break
        for name, run in ways.items():
            seconds[name].append(_timed(run))
    plain, *others = ways
    ratios = {
        name: [a / b for a, b in zip(seconds[plain], seconds[name], strict=True)]
        for name in others
    }
    return {
        "num_repetitions": len(seconds[plain]),
        "seconds": {name: _spread(values) for name, values in seconds.items()},
        "ratio": {name: _spread(values) for name, values in ratios.items()},
    }


def _timed(run: Callable[[], Any]) -> float:
    gc.collect()
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _spread(values: list[float]) -> dict[str, float]:
    if len(values) == 1:
        return {"median": values[0], "low": values[0], "high": values[0]}
    low, _, high = quantiles(values, n=4, method="inclusive")
    return {"median": median(values), "low": low, "high": high}
