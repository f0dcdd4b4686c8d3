r"""A grid of runs, and what all grids are made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

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
CONFIRMING_SEEDS = range(1000, 1020)

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
        # As in the public script, unless a row is about that.
        row.setdefault("recompute_norms", False)
        return PretrainConfig(dataset, seed=seed, batch_size=int(batch_size), **row)


UNIFORM: Row = {"sampler": "uniform"}
KNN: Row = {"sampler": "knn"}
PROSAMPLER: Row = {"sampler": "prosampler"}
MULTI_START: Row = {"sampler": "multi-start"}
SAMPLERS = {"": UNIFORM, " + kNN": KNN, " + ProSampler": PROSAMPLER}


def by_sampler(
    name: str, row: Row, samplers: dict[str, Row] = SAMPLERS
) -> dict[str, Row]:
    r"""The same row with each sampler."""
    return {name + suffix: row | sampler for suffix, sampler in samplers.items()}


TWO = {key: SAMPLERS[key] for key in ("", " + ProSampler")}
UNTRAINED = UNIFORM | {"num_epochs": 0}
LIBLINEAR: Row = {"protocol": "liblinear"}
# At a width that fits a CPU.
MVGRL_ROW: Row = {"framework": "mvgrl", "hidden_channels": 64}
