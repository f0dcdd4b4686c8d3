r"""Proximity graphs: independent candidates against gathered vectors, shared ones
against a plain matrix product.
"""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.graph.speed.timing import side_by_side
from pyg_prosampler import knn_graph, proximity_graph

NUM_CHANNELS = 96
INDEPENDENT = (
    (1_000, 500, 100),
    (2_500, 1_000, 70),
    (5_000, 500, 50),
    (5_000, 1_000, 100),
    (20_000, 1_000, 50),
)
SHARED = (200_000, 1_000, 50)


def measure(root: str, mirror: str | None) -> Iterator[dict[str, Any]]:
    for num_nodes, num_candidates, num_neighbors in INDEPENDENT:
        embeddings = torch.randn(num_nodes, NUM_CHANNELS)
        arguments = (embeddings, num_candidates, num_neighbors)
        yield _record(
            f"independent, N={num_nodes}, M={num_candidates}",
            arguments,
            {
                "gathered vectors": partial(gathered_vectors, *arguments),
                "independent": partial(
                    proximity_graph, *arguments, candidates="independent"
                ),
                "shared": partial(proximity_graph, *arguments, candidates="shared"),
            },
        )
    for num_nodes in (1_000, 5_000):
        embeddings = torch.randn(num_nodes, NUM_CHANNELS)
        yield _record(
            f"all candidates, N={num_nodes}",
            (embeddings, num_nodes - 1, 50),
            {
                "plain": partial(plain_knn, embeddings, 50),
                "knn_graph": partial(knn_graph, embeddings, 50),
            },
        )
    embeddings = torch.randn(SHARED[0], NUM_CHANNELS)
    arguments = (embeddings, *SHARED[1:])
    yield _record(
        f"shared, N={SHARED[0]}, M={SHARED[1]}",
        arguments,
        {
            "gathered vectors, a tenth": partial(
                gathered_vectors, *arguments, num_rows=SHARED[0] // 10
            ),
            "shared": partial(proximity_graph, *arguments, candidates="shared"),
        },
        num_repetitions=3,
    )


def _record(
    case: str, arguments: tuple[Tensor, int, int], ways: dict, **kwargs: Any
) -> dict[str, Any]:
    embeddings, num_candidates, num_neighbors = arguments
    record = side_by_side(ways, **kwargs)
    flops = 2 * embeddings.size(0) * num_candidates * NUM_CHANNELS
    fast = list(ways)[-1]
    gflops = flops / record["seconds"][fast]["median"] / 1e9
    matmul_gflops = matmul_rate()
    return {
        "case": case,
        "num_nodes": embeddings.size(0),
        "num_candidates": num_candidates,
        "num_neighbors": num_neighbors,
        "num_channels": NUM_CHANNELS,
        **record,
        "gflops": gflops,
        "matmul_gflops": matmul_gflops,
        "share": gflops / matmul_gflops,
    }


def gathered_vectors(
    embeddings: Tensor,
    num_candidates: int,
    num_neighbors: int,
    num_rows: int | None = None,
) -> tuple[Tensor, Tensor]:
    r"""What one would write in plain torch: no loop over rows, but in chunks."""
    vectors = F.normalize(embeddings, dim=1)
    num_nodes = vectors.size(0)
    found = []
    for rows in torch.arange(num_rows or num_nodes).split(64):
        # With replacement, since nothing simple is without.
        candidates = torch.randint(num_nodes, (rows.numel(), num_candidates))
        scores = torch.bmm(vectors[candidates], vectors[rows].unsqueeze(2)).squeeze(2)
        values, best = scores.topk(num_neighbors, dim=1)
        found.append((values, candidates.gather(1, best)))
    weight, col = (torch.cat(parts) for parts in zip(*found, strict=True))
    return weight, col


def plain_knn(embeddings: Tensor, num_neighbors: int) -> tuple[Tensor, Tensor]:
    vectors = F.normalize(embeddings, dim=1)
    scores = vectors @ vectors.t()
    scores.fill_diagonal_(-torch.inf)
    values, col = scores.topk(num_neighbors, dim=1)
    return values, col


def matmul_rate(size: int = 2048, num_repetitions: int = 5) -> float:
    r"""The best rate of a large square matrix product in GFLOP/s."""
    matrix = torch.randn(size, size)
    seconds = []
    for _ in range(num_repetitions):
        began = time.perf_counter()
        torch.mm(matrix, matrix)
        seconds.append(time.perf_counter() - began)
    return 2 * size**3 / min(seconds) / 1e9
