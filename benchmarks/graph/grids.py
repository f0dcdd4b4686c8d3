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
    r"""One change at a time from the defaults, on the tuning seeds and the sets that
    are quick: where do hard batches pay? What concerns both samplers is done to both.
    """
    both = [
        {},
        {"learning_rate": 0.001},
        {"augmentation": "random4"},
        {"hidden_channels": 128},
        {"temperature": 0.5},
        {"objective": "hcl"},
        {"negatives": "both"},
        {"node_features": "degree"},
        {"num_epochs": 100},
    ]
    own = [
        {"num_neighbors": 20},
        {"restart_prob": "0.5"},
        {"num_candidates": 100, "num_neighbors": 18},
        {"sampler": "multi-start", "num_starts": 16},
        {"embedding_source": "bank"},
        {"sampler": "b3"},
    ]
    rows = [
        *(
            {"sampler": name} | row
            for row in both
            for name in ("uniform", "prosampler")
        ),
        *({"sampler": "prosampler"} | row for row in own),
    ]
    datasets = ("MUTAG", "IMDB-BINARY", "IMDB-MULTI", "PROTEINS")
    return [
        PretrainConfig(
            dataset, seed=seed, batch_size=BATCH_SIZES[dataset], **row, **common
        )
        for seed in TUNING_SEEDS
        for dataset in datasets
        for row in rows
        # These sets have features of their own.
        if "node_features" not in row or dataset.startswith("IMDB")
    ]


GRIDS: dict[str, Grid] = {"table3": table3, "explore": explore}
