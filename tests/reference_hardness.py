r"""Slow references of the reports on batches, in plain loops."""

import math

import torch
from torch import Tensor

from tests.reference_sampling import cosine


def pairs_of(batch: list[int]) -> list[tuple[int, int]]:
    return [(i, j) for at, i in enumerate(batch) for j in batch[at + 1 :]]


def pair_similarities(embeddings: Tensor, batches: list[list[int]]) -> list[float]:
    return [
        cosine(embeddings[i], embeddings[j])
        for batch in batches
        for i, j in pairs_of(batch)
    ]


def quantile(values: list[float], share: float) -> float:
    values = sorted(values)
    place = share * (len(values) - 1)
    low, high = math.floor(place), math.ceil(place)
    return values[low] + (place - low) * (values[high] - values[low])


def neighbors_found(
    embeddings: Tensor, batches: list[list[int]], num_neighbors: int | None
) -> float:
    num_graphs = embeddings.size(0)
    shares = []
    for batch in batches:
        k = min(num_neighbors or len(batch) - 1, num_graphs - 1)
        for i in batch:
            others = [j for j in range(num_graphs) if j != i]
            ranked = sorted(cosine(embeddings[i], embeddings[j]) for j in others)
            least = ranked[-k] - 1e-6
            near = [
                j
                for j in batch
                if j != i and cosine(embeddings[i], embeddings[j]) >= least
            ]
            shares.append(min(len(near), k) / k)
    return sum(shares) / len(shares)


def same_class_rate(labels: list, batches: list[list[int]]) -> float:
    rates = []
    for batch in batches:
        pairs = pairs_of(batch)
        rates.append(sum(labels[i] == labels[j] for i, j in pairs) / len(pairs))
    return sum(rates) / len(rates)


def participation_ratio(embeddings: Tensor) -> float:
    rows = embeddings.double()
    rows = rows / rows.norm(dim=1, keepdim=True)
    values = torch.linalg.svdvals(rows - rows.mean(dim=0)) ** 2
    return float(values.sum() ** 2 / (values**2).sum())
