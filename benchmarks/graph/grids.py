r"""Which runs make up which table. Fixed before their scores are seen."""

from collections.abc import Callable, Iterator
from typing import Any

from pyg_prosampler.config import PretrainConfig

# From quick to slow, so that a sweep that is cut off leaves whole rows.
DATASETS = (
    "MUTAG",
    "IMDB-BINARY",
    "PROTEINS",
    "IMDB-MULTI",
    "REDDIT-BINARY",
    "NCI1",
    "COLLAB",
)
# MUTAG has 188 graphs: batches of 32 leave something to choose.
BATCH_SIZES = dict.fromkeys(DATASETS, 128) | {"MUTAG": 32}
SEEDS = range(10)
TUNING_SEEDS = range(100, 105)

Grid = Callable[..., list[PretrainConfig]]


def table3(**common: Any) -> list[PretrainConfig]:
    r"""GraphCL under four objectives, with uniform, kNN and ProSampler's batches, the
    untrained encoder, and GraphCL as published.
    """
    return [
        PretrainConfig(dataset, seed=seed, batch_size=batch_size, **options, **common)
        for dataset, batch_size in BATCH_SIZES.items()
        for options in _table3_rows()
        for seed in SEEDS
    ]


def _table3_rows() -> Iterator[dict[str, Any]]:
    yield {"num_epochs": 0, "sampler": "uniform"}
    for objective in ("infonce", "dcl", "hcl"):
        for sampler in ("uniform", "knn", "prosampler"):
            yield {"objective": objective, "sampler": sampler}
    for sampler in ("uniform", "prosampler"):
        yield {"objective": "unremix", "sampler": sampler}
    yield {"sampler": "uniform", "published": True}


def explore(**common: Any) -> list[PretrainConfig]:
    r"""One change at a time from the defaults, on tuning seeds: where do hard batches
    pay? What concerns all samplers is done to all of them.
    """
    common["num_folds"] = 3
    shared: list[dict[str, Any]] = [
        {},
        {"recompute_norms": True},
        {"mask_twins": True},
        {"node_features": "degree"},
        {"augmentation": "random4"},
        {"temperature": 0.5},
        {"objective": "hcl"},
        {"objective": "unremix"},
        {"negatives": "both"},
        {"learning_rate": 0.001},
        {"batch_factor": 0.25},
        {"batch_factor": 2},
        {"hidden_channels": 128},
        {"num_epochs": 100},
    ]
    dials: list[dict[str, Any]] = [
        {"num_neighbors": 20},
        {"restart_prob": "0.5"},
        {"num_candidates": 100, "num_neighbors": 18},
        {"embedding_source": "bank"},
        {"embedding_source": "head"},
        {"num_warmup_epochs": 5},
        {"sampler": "b3"},
    ]
    rows = [row | sampler for row in shared for sampler in _THREE] + [
        {"sampler": "prosampler"} | row for row in dials
    ]
    slow = [row | sampler for row in shared[:2] for sampler in _THREE]
    return [
        _config(dataset, row, seed=seed, **common)
        for seed in list(TUNING_SEEDS)[:3]
        for dataset in DATASETS
        for row in (rows if dataset in _QUICK else slow)
        # The other two have features of their own.
        if "node_features" not in row or dataset.startswith("IMDB")
    ]


_QUICK = ("MUTAG", "IMDB-BINARY", "PROTEINS", "IMDB-MULTI")
_THREE: tuple[dict[str, Any], ...] = (
    {"sampler": "uniform"},
    {"sampler": "prosampler"},
    {"sampler": "multi-start"},
)


def _config(dataset: str, row: dict[str, Any], **common: Any) -> PretrainConfig:
    row = dict(row)
    batch_size = int(BATCH_SIZES[dataset] * row.pop("batch_factor", 1))
    if row["sampler"] == "multi-start":  # Walks of eight graphs each.
        row["num_starts"] = batch_size // 8
    return PretrainConfig(dataset, batch_size=batch_size, **row, **common)


GRIDS: dict[str, Grid] = {"table3": table3, "explore": explore}
