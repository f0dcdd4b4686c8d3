r"""The tables of the studies that are swept."""

from collections.abc import Callable
from functools import cache
from typing import Any

from benchmarks.graph import grids
from benchmarks.graph.cells import Cells
from benchmarks.graph.grids import STUDIES, Grid
from benchmarks.graph.published import PUBLISHED
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
from benchmarks.graph.sweep import RESULTS, Record, read_all, read_records

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
        for name in list(grids.ABLATIONS.rows)[2:]
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
    "table3": _of(grids.TABLE3, accuracies, PUBLISHED),
    "table3/differences": _of(grids.TABLE3, differences, _PROSAMPLER + _KNN),
    "table3/published": _of(grids.TABLE3, against_published),
    "table3/spreads": _of(grids.TABLE3, spreads, ["GraphCL", "GraphCL + ProSampler"]),
    "mvgrl": _of(grids.MVGRL, accuracies, PUBLISHED),
    "mvgrl/differences": _of(grids.MVGRL, differences, _MVGRL),
    "mvgrl/wide": _of(grids.MVGRL_WIDE, accuracies),
    "norms": _of(grids.NORMS, accuracies),
    "norms/differences": _of(grids.NORMS, differences, _NORMS),
    "norms/pooled": _of(grids.NORMS, pooled, _NORMS),
    "summary": _of(grids.SUMMARY, accuracies),
    "summary/differences": _of(grids.SUMMARY, differences, _GRAPHCL + _NORMS[:2]),
    "objectives": _of(grids.OBJECTIVES, accuracies),
    "objectives/differences": _of(grids.OBJECTIVES, differences, _OBJECTIVE_PAIRS),
    "policies": _of(grids.POLICIES, batches, "uniform"),
    "table4": _of(grids.TABLE4, dials),
    "table5": _of(grids.TABLE5, dials),
    "ablations": _of(grids.ABLATIONS, accuracies),
    "ablations/differences": _of(grids.ABLATIONS, differences, _ABLATIONS),
    "bound": _of(grids.BOUND, accuracies),
    "bound/differences": _of(grids.BOUND, differences, _BOUND),
    "transfer": _of(grids.TRANSFER, accuracies),
    "transfer/differences": _of(grids.TRANSFER, differences, _GRAPHCL),
    "explore": _of(grids.EXPLORE, accuracies),
    "explore/differences": _of(grids.EXPLORE, pooled, _against_uniform(grids.EXPLORE)),
    "explore/degrees": _of(grids.EXPLORE_DEGREES, accuracies),
    "explore/slow": _of(grids.EXPLORE_SLOW, accuracies),
    "explore/slow-differences": _of(
        grids.EXPLORE_SLOW, pooled, _against_uniform(grids.EXPLORE_SLOW)
    ),
    "explore/mvgrl": _of(grids.EXPLORE_MVGRL, accuracies),
    "explore/mvgrl-differences": _of(
        grids.EXPLORE_MVGRL, pooled, _against_uniform(grids.EXPLORE_MVGRL)
    ),
    "explore/mvgrl-choice": _of(grids.EXPLORE_MVGRL, choice),
    "explore/mvgrl-degrees": _of(grids.EXPLORE_MVGRL_DEGREES, accuracies),
    "explore/nci1": _of(grids.EXPLORE_NCI1, accuracies),
    "explore/choice": _of(grids.CHOICE, choice),
    "chosen": _of(grids.CHOSEN, accuracies),
    "chosen/differences": _of(grids.CHOSEN, differences, _CHOSEN),
    "chosen/mvgrl": _of(grids.CHOSEN_MVGRL, accuracies),
    "chosen/mvgrl-differences": _of(grids.CHOSEN_MVGRL, differences, _CHOSEN_MVGRL),
    "costs": _costs,
}
