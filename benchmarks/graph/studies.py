r"""The tables of the studies that are swept."""

from collections.abc import Callable
from functools import cache
from typing import Any

from benchmarks.graph.cells import Cells
from benchmarks.graph.grids import STUDIES, exploring, reported
from benchmarks.graph.grids.grid import Grid
from benchmarks.graph.published import PUBLISHED
from benchmarks.graph.records import Record, read_records
from benchmarks.graph.render import (
    accuracies,
    against_published,
    batches,
    choice,
    costs,
    dials,
    differences,
    pooled,
    spreads,
)
from benchmarks.graph.sweep import RESULTS, read_all

_OBJECTIVES = ("GraphCL", "DCL", "HCL", "UnReMix")
# Every row against its own baseline.
_PROSAMPLER = [(f"{name} + ProSampler", name) for name in _OBJECTIVES]
_KNN = [(f"{name} + kNN", name) for name in _OBJECTIVES[:3]]
_NORMS = [
    (f"GraphCL, norms recomputed + {name}", baseline)
    for baseline in ("GraphCL, norms recomputed", "GraphCL")
    for name in ("ProSampler", "kNN")
]
_OBJECTIVE_PAIRS = [
    ("DCL", "GraphCL"),
    ("HCL", "GraphCL"),
    ("UnReMix", "GraphCL"),
    *_PROSAMPLER,
]
_MVGRL = [("MVGRL + ProSampler", "MVGRL"), ("MVGRL + kNN", "MVGRL")]
_BOUND = [
    ("GraphCL, true negatives alone", "GraphCL"),
    ("GraphCL, true negatives alone + ProSampler", "GraphCL + ProSampler"),
    (
        "GraphCL, true negatives alone + ProSampler",
        "GraphCL, true negatives alone",
    ),
]
_CHOSEN_MVGRL = [
    ("MVGRL, several starts, 5 epochs", "MVGRL, InfoNCE"),
    ("MVGRL, InfoNCE", "MVGRL, untrained"),
    ("MVGRL, several starts, 5 epochs", "MVGRL, untrained"),
]
_CHOSEN = [("several starts", "uniform")]
_GRAPHCL = [("GraphCL + ProSampler", "GraphCL"), ("GraphCL + kNN", "GraphCL")]
_ABLATIONS = [
    ("ProSampler", "uniform"),
    *(
        (name, "ProSampler")
        for name in list(reported.ABLATIONS.rows)[2:]
        if not name.startswith(("uniform", "batches"))
    ),
    ("norms recomputed", "uniform, norms recomputed"),
    ("batches of 32", "uniform, batches of 32"),
    ("batches of 256", "uniform, batches of 256"),
]


def _against_uniform(grid: Grid) -> list[tuple[str, str]]:
    r"""Every row against uniform batches with the same change, if there are any."""
    pairs = []
    for name in grid.rows:
        sampler, comma, change = name.partition(", ")
        baseline = f"uniform{comma}{change}"
        if sampler != "uniform":
            pairs.append((name, baseline if baseline in grid.rows else "uniform"))
    return pairs


def cells_of(grid: Grid) -> Cells:
    r"""The records of a grid, from all studies."""
    return Cells(grid, _records())


@cache
def _records() -> list[Record]:
    return read_all()


def _of(grid: Grid, table: Callable[..., str], *args: Any) -> Callable[[], str]:
    return lambda: table(cells_of(grid), *args)


def _costs() -> str:
    return costs({name: read_records(RESULTS / f"{name}.jsonl") for name in STUDIES})


TABLES: dict[str, Callable[[], str]] = {
    "table3": _of(reported.TABLE3, accuracies, PUBLISHED),
    "table3/differences": _of(reported.TABLE3, differences, _PROSAMPLER + _KNN),
    "table3/published": _of(reported.TABLE3, against_published),
    "table3/spreads": _of(
        reported.TABLE3, spreads, ["GraphCL", "GraphCL + ProSampler"]
    ),
    "mvgrl": _of(reported.MVGRL, accuracies, PUBLISHED),
    "mvgrl/published": _of(reported.MVGRL, against_published),
    "mvgrl/differences": _of(reported.MVGRL, differences, _MVGRL),
    "mvgrl/wide": _of(reported.MVGRL_WIDE, accuracies, PUBLISHED),
    "mvgrl/wide-published": _of(reported.MVGRL_WIDE, against_published),
    "mvgrl/wide-differences": _of(reported.MVGRL_WIDE, differences, _MVGRL),
    "mvgrl/linear": _of(reported.MVGRL_LINEAR, accuracies, PUBLISHED),
    "mvgrl/linear-published": _of(reported.MVGRL_LINEAR, against_published),
    "mvgrl/linear-differences": _of(reported.MVGRL_LINEAR, differences, _MVGRL),
    "norms": _of(reported.NORMS, accuracies),
    "norms/differences": _of(reported.NORMS, differences, _NORMS),
    "norms/pooled": _of(reported.NORMS, pooled, _NORMS),
    "confirm": _of(reported.CONFIRM, accuracies),
    # The test has five cells; the rest is not part of it.
    "confirm/differences": _of(reported.CONFIRM, differences, _NORMS[:1]),
    "confirm/others": _of(reported.CONFIRM, differences, _NORMS[1:]),
    "confirm/pooled": _of(reported.CONFIRM, pooled, _NORMS),
    "summary": _of(reported.SUMMARY, accuracies),
    "summary/differences": _of(reported.SUMMARY, differences, _GRAPHCL + _NORMS[:2]),
    "objectives": _of(reported.OBJECTIVES, accuracies),
    "objectives/differences": _of(reported.OBJECTIVES, differences, _OBJECTIVE_PAIRS),
    "policies": _of(reported.POLICIES, batches, "uniform"),
    "table4": _of(reported.TABLE4, dials),
    "table5": _of(reported.TABLE5, dials),
    "ablations": _of(reported.ABLATIONS, accuracies),
    "ablations/differences": _of(reported.ABLATIONS, differences, _ABLATIONS),
    "bound": _of(reported.BOUND, accuracies),
    "bound/differences": _of(reported.BOUND, differences, _BOUND),
    "transfer": _of(reported.TRANSFER, accuracies),
    "transfer/differences": _of(reported.TRANSFER, differences, _GRAPHCL),
    "explore": _of(exploring.EXPLORE, accuracies),
    "explore/differences": _of(
        exploring.EXPLORE, pooled, _against_uniform(exploring.EXPLORE)
    ),
    "explore/degrees": _of(exploring.EXPLORE_DEGREES, accuracies),
    "explore/slow": _of(exploring.EXPLORE_SLOW, accuracies),
    "explore/slow-differences": _of(
        exploring.EXPLORE_SLOW, pooled, _against_uniform(exploring.EXPLORE_SLOW)
    ),
    "explore/mvgrl": _of(exploring.EXPLORE_MVGRL, accuracies),
    "explore/mvgrl-differences": _of(
        exploring.EXPLORE_MVGRL, pooled, _against_uniform(exploring.EXPLORE_MVGRL)
    ),
    "explore/mvgrl-choice": _of(exploring.EXPLORE_MVGRL, choice),
    "explore/mvgrl-degrees": _of(exploring.EXPLORE_MVGRL_DEGREES, accuracies),
    "explore/mvgrl-authors": _of(
        exploring.EXPLORE_MVGRL_AUTHORS, accuracies, PUBLISHED
    ),
    "explore/mvgrl-reddit": _of(exploring.EXPLORE_MVGRL_REDDIT, accuracies),
    "explore/nci1": _of(exploring.EXPLORE_NCI1, accuracies),
    "explore/dcl": _of(exploring.EXPLORE_DCL, accuracies),
    "explore/harder": _of(exploring.EXPLORE_HARDER, accuracies),
    "explore/harder-choice": _of(exploring.EXPLORE_HARDER, choice),
    "explore/choice": _of(exploring.CHOICE, choice),
    "chosen": _of(exploring.CHOSEN, accuracies),
    "chosen/differences": _of(exploring.CHOSEN, differences, _CHOSEN),
    "chosen/mvgrl": _of(exploring.CHOSEN_MVGRL, accuracies),
    "chosen/mvgrl-differences": _of(exploring.CHOSEN_MVGRL, differences, _CHOSEN_MVGRL),
    "costs": _costs,
}
