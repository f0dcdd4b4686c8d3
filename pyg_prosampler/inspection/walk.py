r"""A walk on the map of embeddings."""

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import pdist
from sklearn.decomposition import PCA
from torch import Generator, Tensor

from pyg_prosampler.inspection.replay import walk_policy
from pyg_prosampler.inspection.runs import Run
from pyg_prosampler.policies.base import unit_rows
from pyg_prosampler.proximity import proximity_graph
from pyg_prosampler.walk import random_walk_with_restart


def walk(
    run: Run,
    embeddings: Tensor,
    labels: Tensor | None,
    seed: int,
    num_visited: int = 10,
) -> dict[str, Any]:
    r"""Walks on the proximity graph with the dials of the first epoch of a run,
    until some graphs have been visited. Of 100 walks, that one is taken whose
    graphs are the furthest apart on the map, so that it can be seen, with a visible
    restart if there is one.

    Returns:
        dict: The :obj:`points` :math:`[N, 2]` of the graphs on a map and the
        :obj:`shares` of the variance that its two components have, the
        :obj:`labels`, the :obj:`trace` of the walk, for each of its steps
        whether it :obj:`is_restart`, and the :obj:`restart_prob`.
    """
    generator = Generator().manual_seed(seed)
    policy = walk_policy(run.config, embeddings)
    graph = proximity_graph(
        embeddings, policy.num_candidates, policy.num_neighbors, generator=generator
    )
    starts = torch.randint(embeddings.size(0), (100,), generator=generator)
    restart_prob = policy.restart_prob_at(0)
    traces = random_walk_with_restart(
        graph, starts, 20 * num_visited, restart_prob,
        generator=generator, backend="torch",
    ).tolist()  # fmt: skip
    edges = set(zip(*graph.edge_index.tolist(), strict=True))
    points, shares = principal_components(embeddings)
    walks = []
    for trace in traces:
        kept = _until_visited(trace, num_visited)
        # A jump along an edge might as well be a move.
        is_restart = [False] + [
            after == kept[0] != before and (before, after) not in edges
            for before, after in pairwise(kept)
        ]
        apart = float(pdist(points[list(dict.fromkeys(kept))]).min(initial=np.inf))
        walks.append((any(is_restart), apart, kept, is_restart))
    _, _, kept, is_restart = max(walks, key=lambda walk: walk[:2])
    return {
        "points": points,
        "shares": shares,
        "labels": labels,
        "trace": kept,
        "is_restart": is_restart,
        "restart_prob": restart_prob,
    }


def _until_visited(trace: list[int], num_visited: int) -> list[int]:
    r"""Cuts a trace at the first visit of the last node that counts."""
    visited: dict[int, int] = {}
    for at, node in enumerate(trace):
        visited.setdefault(node, at)
        if len(visited) == num_visited:
            break
    return trace[: max(visited.values()) + 1]


def principal_components(embeddings: Tensor) -> tuple[np.ndarray, np.ndarray]:
    r"""Returns the first two principal components :math:`[N, 2]` of embeddings,
    normalised as the proximity graph compares them, and their shares of the
    variance :math:`[2]`.
    """
    pca = PCA(n_components=2, random_state=0)
    points = pca.fit_transform(unit_rows(embeddings).cpu().numpy())
    return points, pca.explained_variance_ratio_
