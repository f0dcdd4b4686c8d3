r"""Hardness and false negatives in the batches of runs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyg_prosampler.hardness import mean_similarity, uniform_floor
from pyg_prosampler.hardness.measures import pair_similarities
from pyg_prosampler.inspection.replay import last_epoch
from pyg_prosampler.inspection.runs import Run
from pyg_prosampler.policies.base import unit_rows


def false_negatives(runs: Sequence[Run]) -> dict[str, Any]:
    r"""Gathers the false-negative rate by epoch.

    Returns:
        dict: :obj:`rates`, for every sampler the rates
        :math:`[\mathrm{seeds}, \mathrm{epochs}]` of as many epochs as all of its
        seeds have finished, :obj:`floor`, that of uniform batches or :obj:`None`,
        and :obj:`num_warmup`, the number of warm-up epochs.

    Raises:
        ValueError: If graphs have no labels.
    """
    rates: dict[str, list[list[float]]] = {}
    floor = None
    for run in runs:
        values = [epoch["false_negative_rate"] for epoch in run.epochs]
        if None in values:
            raise ValueError(
                f"'{run.folder.path}' has no false-negative rates, since its graphs "
                f"have no labels; leave out this figure by `--only`"
            )
        rates.setdefault(run.config.sampler, []).append(values)
        if (run.folder.path / "embeddings.pt").exists():
            floor = uniform_floor(run.folder.load("embeddings.pt")["labels"])
    return {
        "floor": floor,
        "num_warmup": max(
            min(run.config.num_warmup_epochs, len(run.epochs)) for run in runs
        ),
        "rates": {
            sampler: np.array([row[: min(map(len, rows))] for row in rows])
            for sampler, rows in rates.items()
        },
    }


def batches_of_policies(
    runs: Sequence[Run], embeddings: Tensor, seed: int, num_epochs: int | None = None
) -> dict[str, Any]:
    r"""Draws epochs by the policy of every sampler, as in the last epoch of its run,
    and by uniform batches, all on the same embeddings :math:`[N, d]`: by default, as
    many epochs as make 600 batches, but 100 at most.

    Returns:
        dict: :obj:`pairs`, for every sampler the similarities of all pairs that
        share a batch, of the first batches drawn if there are millions of them;
        :obj:`by_position`, the mean similarity of the batches
        :math:`[\mathrm{num\_epochs}, \mathrm{batches}]` (:obj:`nan` for a
        batch of one); and :obj:`floor`, that of all pairs.
    """
    configs = {run.config.sampler: run.config for run in reversed(runs)}
    uniform = replace(runs[0].config, sampler="uniform")
    samplers = {"uniform": uniform} | dict(reversed(configs.items()))
    vectors = unit_rows(embeddings)
    if num_epochs is None:
        num_batches = -(-embeddings.size(0) // uniform.batch_size)
        num_epochs = min(100, -(-600 // num_batches))
    pairs, by_position = {}, {}
    for name, config in samplers.items():
        epochs = [
            [torch.tensor(batch) for batch in last_epoch(config, vectors, seed + draw)]
            for draw in range(num_epochs)
        ]
        pairs[name] = np.concatenate(
            list(_enough(pair_similarities(vectors[b]) for b in chain(*epochs)))
        )
        by_position[name] = np.array(
            [
                [
                    mean_similarity(vectors[batch]) if batch.numel() > 1 else np.nan
                    for batch in epoch
                ]
                for epoch in epochs
            ]
        )
    return {
        "pairs": pairs,
        "by_position": by_position,
        "floor": mean_similarity(vectors),
    }


def _enough(arrays: Iterator[np.ndarray], most: int = 1_000_000) -> Iterator[Any]:
    total = 0
    for array in arrays:
        yield array
        total += array.size
        if total >= most:
            return
