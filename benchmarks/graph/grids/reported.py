r"""The grids that are reported: the tables of the paper, and what it leaves open."""

from benchmarks.graph.grids.grid import (
    CONFIRMING_SEEDS,
    DATASETS,
    LIBLINEAR,
    MVGRL_ROW,
    PROSAMPLER,
    QUICK,
    TWO,
    UNIFORM,
    UNTRAINED,
    Grid,
    Row,
    by_sampler,
)
from pyg_prosampler.config import SAMPLERS as ALL_SAMPLERS

# GraphCL under four objectives, and as published.
TABLE3 = Grid(
    {
        "untrained": UNTRAINED,
        "untrained, norms recomputed": UNTRAINED | {"recompute_norms": True},
        "GraphCL, public code": UNIFORM | {"published": True},
    }
    | by_sampler("GraphCL", {"objective": "infonce"})
    | by_sampler("DCL", {"objective": "dcl"})
    | by_sampler("HCL", {"objective": "hcl"})
    | by_sampler("UnReMix", {"objective": "unremix"}, TWO)
)

# The same, where batch norms do not depend on what batches are made of.
_RECOMPUTED: Row = {"recompute_norms": True}
NORMS = Grid(
    {"untrained, norms recomputed": UNTRAINED | _RECOMPUTED, "GraphCL": UNIFORM}
    | by_sampler("GraphCL, norms recomputed", _RECOMPUTED)
)

# A test of what that showed, on seeds that nothing had been run with.
CONFIRM = Grid(
    {name: row for name, row in NORMS.rows.items() if "untrained" not in name},
    DATASETS[:5],
    CONFIRMING_SEEDS,
)

# What is most worth knowing, out of table 3 and batch norms.
SUMMARY = Grid(
    {
        name: row
        for name, row in (TABLE3.rows | NORMS.rows).items()
        if name.startswith(("untrained", "GraphCL")) and "public" not in name
    }
)

# The objectives of table 3 as the package runs them by default.
OBJECTIVES = Grid(
    {
        name: row | _RECOMPUTED
        for name, row in TABLE3.rows.items()
        if not any(word in name for word in ("kNN", "public", "norms"))
    },
    QUICK,
)

# All ways of making batches.
POLICIES = Grid(
    {"untrained": UNTRAINED} | {name: {"sampler": name} for name in ALL_SAMPLERS},
    ("MUTAG", "IMDB-BINARY", "PROTEINS"),
    range(5),
)

MVGRL = Grid(
    {"MVGRL, untrained": MVGRL_ROW | UNTRAINED} | by_sampler("MVGRL", MVGRL_ROW),
    ("MUTAG", "IMDB-BINARY", "IMDB-MULTI", "REDDIT-BINARY"),
    range(5),
)
# At the width of the paper, where that fits a CPU.
MVGRL_WIDE = Grid(
    {"MVGRL, untrained": {"framework": "mvgrl"} | UNTRAINED}
    | by_sampler("MVGRL", {"framework": "mvgrl"}),
    ("MUTAG", "IMDB-BINARY", "IMDB-MULTI"),
    range(5),
)
# By the classifier of the paper.
MVGRL_LINEAR = Grid(
    {name: row | LIBLINEAR for name, row in MVGRL.rows.items()},
    MVGRL.datasets,
    MVGRL.seeds,
)

# The two dials, on the data set of the paper, with norms recomputed.
_DIALS4: dict[str, Row] = {
    "M = 500": {"num_candidates": 500},
    "M = 1000": {},
    "M = 2000": {"num_candidates": 2000},
    "M = 4000": {"num_candidates": 4000},
    "M = all": {"num_candidates": 4999},
}
_DIALS5: dict[str, Row] = {
    f"alpha = {prob.replace(':', ' to ')}": {"restart_prob": prob}
    for prob in ("0.1", "0.3", "0.5", "0.7", "0.2:0.05")
}


def _dials(rows: dict[str, Row]) -> Grid:
    return Grid(
        {name: PROSAMPLER | _RECOMPUTED | row for name, row in rows.items()},
        ("COLLAB",),
        range(5),
    )


TABLE4 = _dials(_DIALS4)
TABLE5 = _dials(_DIALS5)

# What the paper leaves open, one change at a time from the defaults.
ABLATIONS = Grid(
    {
        "uniform": UNIFORM,
        "ProSampler": PROSAMPLER,
        "K = 10": PROSAMPLER | {"num_neighbors": 10},
        "K = 30": PROSAMPLER | {"num_neighbors": 30},
        "new graph every 2 steps": PROSAMPLER | {"refresh_every": 2},
        "new graph every 40 steps": PROSAMPLER | {"refresh_every": 40},
        "no warm-up": PROSAMPLER | {"num_warmup_epochs": 0},
        "5 epochs of warm-up": PROSAMPLER | {"num_warmup_epochs": 5},
        "independent batches": {"sampler": "independent"},
        "unseen starts": {"sampler": "unseen-start"},
        "embeddings of the head": PROSAMPLER | {"embedding_source": "head"},
        "embeddings from the bank": PROSAMPLER | {"embedding_source": "bank"},
        "norms recomputed": PROSAMPLER | {"recompute_norms": True},
        "uniform, norms recomputed": UNIFORM | {"recompute_norms": True},
        "batches of 32": PROSAMPLER | {"batch_factor": 0.25},
        "uniform, batches of 32": UNIFORM | {"batch_factor": 0.25},
        "batches of 256": PROSAMPLER | {"batch_factor": 2},
        "uniform, batches of 256": UNIFORM | {"batch_factor": 2},
    },
    ("IMDB-BINARY", "PROTEINS"),
)

# What is gained by negatives of another class alone, which only labels can tell.
_BOUND = {"use_labels": True}
BOUND = Grid(
    by_sampler("GraphCL", {}, TWO)
    | by_sampler("GraphCL, true negatives alone", _BOUND, TWO),
    QUICK,
    range(5),
)

# Molecules that the paper does not look at.
TRANSFER = Grid(
    {"untrained": UNTRAINED} | by_sampler("GraphCL", {}),
    ("ogbg-molbace", "ogbg-molbbbp"),
)
