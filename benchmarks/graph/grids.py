r"""Which runs make up which study. Fixed before their scores are seen.

A study is one or more grids: every row of options with every data set and every seed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pyg_prosampler.config import SAMPLERS as ALL_SAMPLERS
from pyg_prosampler.config import PretrainConfig

# From quick to slow, so that a sweep that is cut off leaves whole columns.
DATASETS = (
    "MUTAG",
    "IMDB-BINARY",
    "PROTEINS",
    "IMDB-MULTI",
    "REDDIT-BINARY",
    "NCI1",
    "COLLAB",
)
QUICK = DATASETS[:4]
SLOW = DATASETS[4:]
# MUTAG has 188 graphs: batches of 32 leave something to choose.
BATCH_SIZES = {"MUTAG": 32}
BATCH_SIZE = 128
SEEDS = range(10)
TUNING_SEEDS = range(100, 105)

Row = dict[str, Any]


@dataclass(frozen=True)
class Grid:
    r"""Every row with every data set and every seed. Rows have names, and are options
    of :class:`~pyg_prosampler.config.PretrainConfig`; :obj:`batch_factor` multiplies
    the batch size that a data set has.
    """

    rows: dict[str, Row]
    datasets: Sequence[str] = DATASETS
    seeds: Sequence[int] = SEEDS

    def __iter__(self) -> Iterator[PretrainConfig]:
        for dataset in self.datasets:
            for seed in self.seeds:
                for name in self.rows:
                    yield self.config(name, dataset, seed)

    def config(self, name: str, dataset: str, seed: int) -> PretrainConfig:
        r"""The configuration of one run."""
        row = dict(self.rows[name])
        batch_size = BATCH_SIZES.get(dataset, BATCH_SIZE) * row.pop("batch_factor", 1)
        if row.get("sampler") == "multi-start":  # Walks of eight graphs each.
            row.setdefault("num_starts", int(batch_size) // 8)
        return PretrainConfig(dataset, seed=seed, batch_size=int(batch_size), **row)


UNIFORM: Row = {"sampler": "uniform"}
KNN: Row = {"sampler": "knn"}
PROSAMPLER: Row = {"sampler": "prosampler"}
MULTI_START: Row = {"sampler": "multi-start"}
SAMPLERS = {"": UNIFORM, " + kNN": KNN, " + ProSampler": PROSAMPLER}


def _by_sampler(
    name: str, row: Row, samplers: dict[str, Row] = SAMPLERS
) -> dict[str, Row]:
    return {name + suffix: row | sampler for suffix, sampler in samplers.items()}


TWO = {key: SAMPLERS[key] for key in ("", " + ProSampler")}
UNTRAINED = UNIFORM | {"num_epochs": 0}

# GraphCL under four objectives, and as published.
TABLE3 = Grid(
    {
        "untrained": UNTRAINED,
        "untrained, norms recomputed": UNTRAINED | {"recompute_norms": True},
        "GraphCL, public code": UNIFORM | {"published": True},
    }
    | _by_sampler("GraphCL", {"objective": "infonce"})
    | _by_sampler("DCL", {"objective": "dcl"})
    | _by_sampler("HCL", {"objective": "hcl"})
    | _by_sampler("UnReMix", {"objective": "unremix"}, TWO)
)

# The same, where batch norms do not depend on what batches are made of.
_RECOMPUTED = {"recompute_norms": True}
NORMS = Grid(
    {"untrained, norms recomputed": UNTRAINED | _RECOMPUTED, "GraphCL": UNIFORM}
    | _by_sampler("GraphCL, norms recomputed", _RECOMPUTED)
)

# What is most worth knowing, out of both.
SUMMARY = Grid(
    {
        name: row
        for name, row in (TABLE3.rows | NORMS.rows).items()
        if name.startswith(("untrained", "GraphCL")) and "public" not in name
    }
)

# What each objective does on two quick sets, out of table 3.
OBJECTIVES = Grid(
    {
        name: row
        for name, row in TABLE3.rows.items()
        if "kNN" not in name and "public" not in name
    },
    ("MUTAG", "IMDB-BINARY"),
)

# All ways of making batches.
POLICIES = Grid(
    {"untrained": UNTRAINED} | {name: {"sampler": name} for name in ALL_SAMPLERS},
    ("MUTAG", "IMDB-BINARY", "PROTEINS"),
    range(5),
)

_MVGRL = {"framework": "mvgrl", "hidden_channels": 64}
MVGRL = Grid(
    {"MVGRL, untrained": _MVGRL | UNTRAINED} | _by_sampler("MVGRL", _MVGRL),
    ("MUTAG", "IMDB-BINARY", "IMDB-MULTI", "REDDIT-BINARY"),
    range(5),
)
# What the width of the paper changes.
MVGRL_WIDE = Grid(
    _by_sampler("MVGRL, width 512", {"framework": "mvgrl"}, TWO),
    ("MUTAG", "IMDB-BINARY"),
    range(3),
)

# The two dials, on the data set of the paper. The defaults are those of table 3.
TABLE4 = Grid(
    {
        "M = 500": PROSAMPLER | {"num_candidates": 500},
        "M = 1000": PROSAMPLER,
        "M = 2000": PROSAMPLER | {"num_candidates": 2000},
        "M = 4000": PROSAMPLER | {"num_candidates": 4000},
        "M = all": PROSAMPLER | {"num_candidates": 4999},
    },
    ("COLLAB",),
    range(5),
)
TABLE5 = Grid(
    {
        f"alpha = {prob.replace(':', ' to ')}": PROSAMPLER | {"restart_prob": prob}
        for prob in ("0.1", "0.3", "0.5", "0.7", "0.2:0.05")
    },
    ("COLLAB",),
    range(5),
)

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

# What could be gained at most by better negatives: those of another class alone, which
# only labels can tell.
_BOUND = {"use_labels": True}
BOUND = Grid(
    _by_sampler("GraphCL", {}, TWO)
    | _by_sampler("GraphCL, true negatives alone", _BOUND, TWO),
    seeds=range(5),
)

# Molecules that the paper does not look at.
TRANSFER = Grid(
    {"untrained": UNTRAINED} | _by_sampler("GraphCL", {}),
    ("ogbg-molbace", "ogbg-molbbbp"),
)

# Where do hard batches pay? One change at a time, on tuning seeds, and with three folds
# in place of ten; what concerns all samplers is done to all of them.
_EXPLORING: Row = {"num_folds": 3}
_THREE = {"uniform": UNIFORM, "ProSampler": PROSAMPLER, "several starts": MULTI_START}
_SHARED: dict[str, Row] = {
    "": {},
    ", norms recomputed": {"recompute_norms": True},
    ", 5 epochs, norms recomputed": {"recompute_norms": True, "num_epochs": 5},
    ", twins masked": {"mask_twins": True},
    ", random4": {"augmentation": "random4"},
    ", T = 0.5": {"temperature": 0.5},
    ", HCL": {"objective": "hcl"},
    ", UnReMix": {"objective": "unremix"},
    ", negatives of both views": {"negatives": "both"},
    ", learning rate 0.001": {"learning_rate": 0.001},
    ", B / 4": {"batch_factor": 0.25},
    ", 2 B": {"batch_factor": 2},
    ", width 128": {"hidden_channels": 128},
    ", 100 epochs": {"num_epochs": 100},
}
_DIALS: dict[str, Row] = {
    "ProSampler, K = 20": PROSAMPLER | {"num_neighbors": 20},
    "ProSampler, alpha = 0.5": PROSAMPLER | {"restart_prob": "0.5"},
    "ProSampler, M = 100, K = 18": PROSAMPLER
    | {"num_candidates": 100, "num_neighbors": 18},
    "ProSampler, bank": PROSAMPLER | {"embedding_source": "bank"},
    "ProSampler, head": PROSAMPLER | {"embedding_source": "head"},
    "ProSampler, 5 epochs of warm-up": PROSAMPLER | {"num_warmup_epochs": 5},
    "B3": {"sampler": "b3"},
}


def _exploring(shared: dict[str, Row], dials: dict[str, Row]) -> dict[str, Row]:
    rows = {
        name + suffix: sampler | change
        for suffix, change in shared.items()
        for name, sampler in _THREE.items()
    } | dials
    return {name: row | _EXPLORING for name, row in rows.items()}


_first = list(TUNING_SEEDS)[:3]
EXPLORE = Grid(_exploring(_SHARED, _DIALS), QUICK, _first)
EXPLORE_DEGREES = Grid(
    _exploring({", degrees": {"node_features": "degree"}}, {}),
    ("IMDB-BINARY", "IMDB-MULTI"),
    _first,
)
EXPLORE_SLOW = Grid(
    _exploring({key: _SHARED[key] for key in list(_SHARED)[:3]}, {}), SLOW, _first
)

# The same for MVGRL: also for what keeps it from the published accuracies.
_MVGRL_SHARED: dict[str, Row] = {
    "": {},
    ", 4 layers": {"num_layers": 4},
    ", 8 layers": {"num_layers": 8},
    ", learning rate 0.0001": {"learning_rate": 0.0001},
    ", 5 epochs": {"num_epochs": 5},
    ", 100 epochs": {"num_epochs": 100},
    ", InfoNCE": {"objective": "infonce"},
    ", LIBLINEAR": {"protocol": "liblinear"},
}
EXPLORE_MVGRL = Grid(
    {
        name + suffix: _MVGRL | sampler | change | _EXPLORING
        for suffix, change in _MVGRL_SHARED.items()
        for name, sampler in (_THREE | {"kNN": KNN}).items()
    }
    | {
        "untrained": _MVGRL | UNTRAINED | _EXPLORING,
        "untrained, LIBLINEAR": _MVGRL
        | UNTRAINED
        | {"protocol": "liblinear"}
        | _EXPLORING,
    },
    MVGRL.datasets[:3],
    _first,
)

# The public code has the degree beside the node labels, which MUTAG alone has.
EXPLORE_MVGRL_DEGREES = Grid(
    {
        name + ", labels and degrees" + suffix: _MVGRL
        | sampler
        | {"node_features": "with-degree"}
        | change
        | _EXPLORING
        for suffix, change in (("", {}), (", LIBLINEAR", {"protocol": "liblinear"}))
        for name, sampler in (_THREE | {"kNN": KNN, "untrained": UNTRAINED}).items()
    },
    ("MUTAG",),
    _first,
)

# What might keep others below our accuracy there.
EXPLORE_NCI1 = Grid(
    {
        name: UNIFORM | change | _EXPLORING
        for name, change in {
            "uniform": {},
            "uniform, public code": {"published": True},
            "uniform, 5 epochs": {"num_epochs": 5},
            "uniform, learning rate 0.001": {"learning_rate": 0.001},
            "uniform, learning rate 0.001, 5 epochs": {
                "learning_rate": 0.001,
                "num_epochs": 5,
            },
            "uniform, random4": {"augmentation": "random4"},
        }.items()
    },
    ("NCI1",),
    _first,
)

# What has been run on all data sets, and what the rule of the protocol chooses of it.
CHOICE = Grid(EXPLORE_SLOW.rows, DATASETS, _first)
CHOSEN = Grid({name: _THREE[name] for name in ("uniform", "several starts")})
CHOSEN_MVGRL = Grid(
    {
        "MVGRL, untrained": _MVGRL | UNTRAINED,
        "MVGRL, InfoNCE": _MVGRL | UNIFORM | {"objective": "infonce"},
        "MVGRL, several starts, 5 epochs": _MVGRL | MULTI_START | {"num_epochs": 5},
    },
    EXPLORE_MVGRL.datasets,
)

STUDIES: dict[str, Sequence[Grid]] = {
    "table3": [TABLE3],
    "norms": [NORMS],
    "policies": [POLICIES],
    "mvgrl": [MVGRL, MVGRL_WIDE],
    "collab": [TABLE4, TABLE5],
    "ablations": [ABLATIONS],
    "bound": [BOUND],
    "transfer": [TRANSFER],
    "explore": [
        EXPLORE,
        EXPLORE_DEGREES,
        EXPLORE_SLOW,
        EXPLORE_MVGRL,
        EXPLORE_MVGRL_DEGREES,
        EXPLORE_NCI1,
    ],
    "chosen": [CHOSEN, CHOSEN_MVGRL],
}
