r"""Estimates of what would be dear to compute of every epoch."""

from typing import Any

import numpy as np
import torch
from torch import Generator

from pyg_prosampler.hardness.measures import TIE, participation_ratio

_NUM_ANCHORS = 16
_NUM_PAIRS = 256
_NUM_ROWS = 128


def estimate(
    vectors: np.ndarray, batches: list[np.ndarray], generator: Generator
) -> dict[str, Any]:
    r"""Estimates what would be dear to compute, on random members of the largest
    batches, which are all but the last one in an epoch.

    Args:
        vectors (numpy.ndarray): The normalised embeddings :math:`[N, d]`.
        batches (list[numpy.ndarray]): The indices of every batch, two or more.
        generator (torch.Generator): The source of randomness.
    """
    num_graphs = len(vectors)
    size = max(len(batch) for batch in batches)
    full = np.stack([batch for batch in batches if len(batch) == size])
    draws = torch.rand(3, _NUM_PAIRS, generator=generator, dtype=torch.double).numpy()
    batch, place, shift = (draws * np.array([[len(full)], [size], [size - 1]])).astype(
        int
    )

    # A member meets another one of its batch, all of them equally likely.
    first, second = full[batch, place], full[batch, (place + 1 + shift) % size]
    pairs = np.einsum("nd,nd->n", vectors[first], vectors[second])
    pairs.sort()

    # Products of matrices in torch, whose number of threads users set.
    table = torch.from_numpy(vectors)
    anchors = table[first[:_NUM_ANCHORS]]
    scores = (anchors @ table.t()).numpy()
    # An anchor is in its batch and its own nearest neighbour: one more of each.
    least = np.partition(scores, num_graphs - size, axis=1)[:, num_graphs - size]
    in_batch = np.take_along_axis(scores, full[batch[:_NUM_ANCHORS]], axis=1)
    hits = np.minimum((in_batch >= least[:, None] - TIE).sum(axis=1), size) - 1
    return {
        "similarity_quartiles": pairs[_NUM_PAIRS // 4 :: _NUM_PAIRS // 4].tolist(),
        "neighbors_found": float(hits.mean()) / (size - 1),
        "neighbors_floor": (size - 1) / (num_graphs - 1),
        "effective_rank": participation_ratio(table[:: -(-num_graphs // _NUM_ROWS)]),
    }
