r"""Batches over the plane of both dials."""

from itertools import chain, count, islice
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor
from torch_geometric.data import Data

from pyg_prosampler.hardness import (
    false_negative_rate,
    mean_similarity,
    uniform_floor,
)
from pyg_prosampler.inspection.replay import walk_policy
from pyg_prosampler.inspection.runs import Run
from pyg_prosampler.policies import RandomWalkPolicy
from pyg_prosampler.policies.base import unit_rows
from pyg_prosampler.proximity import proximity_graph
from pyg_prosampler.sampler import ProSampler


def plane(
    run: Run,
    embeddings: Tensor,
    labels: Tensor | None,
    seed: int,
    *,
    num_batches: int = 100,
    max_graphs: int = 3000,
) -> dict[str, Any]:
    r"""Draws batches on a grid of the number of candidates :math:`M`, from 1 to all
    others, and the restart probability :math:`\alpha`, from 0 to 1, independently of
    each other, with the number of neighbours of the run where there are as many
    candidates. Of a large data set, a random part is taken.

    Returns:
        dict: The :obj:`num_candidates` :math:`[m]` and :obj:`restart_prob`
        :math:`[a]` of the grid, the means :obj:`similarity` and
        :obj:`false_negative_rate` (or :obj:`None`) :math:`[a, m]` over batches,
        each beside that of uniform batches (:obj:`*_floor`), :obj:`num_graphs` and
        :obj:`num_neighbors`.
    """
    generator = Generator().manual_seed(seed)
    kept = torch.randperm(embeddings.size(0), generator=generator)[:max_graphs]
    vectors = unit_rows(embeddings[kept])
    classes = None if labels is None else labels[kept]
    num_graphs = len(kept)
    most = walk_policy(run.config, vectors).num_neighbors
    # Up to as many candidates as neighbours, the graph is random.
    grid = np.geomspace(min(most, num_graphs - 1), num_graphs - 1, 7).round()
    candidates = np.unique([1, *grid.astype(int)])
    restart_probs = [0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0]
    shape = len(restart_probs), len(candidates)
    similarity, rates = np.empty(shape), np.empty(shape)
    for column, num_candidates in enumerate(candidates.tolist()):
        k = min(most, num_candidates)
        graph = proximity_graph(vectors, num_candidates, k, generator=generator)
        for row, restart_prob in enumerate(restart_probs):
            sampler = ProSampler(
                lambda: vectors,
                num_graphs,
                min(run.config.batch_size, num_graphs),
                num_warmup_epochs=0,
                coverage="independent",
                seed=seed,
                policy=_OnGraph(num_candidates, k, restart_prob, graph=graph),
            )
            endless = chain.from_iterable(iter(sampler) for _ in count())
            batches = list(map(torch.tensor, islice(endless, num_batches)))
            similarity[row, column] = np.mean(
                [mean_similarity(vectors[batch]) for batch in batches]
            )
            if classes is not None:
                rates[row, column] = np.mean(
                    [false_negative_rate(classes[batch]) for batch in batches]
                )
    return {
        "num_graphs": num_graphs,
        "num_neighbors": most,
        "num_candidates": candidates,
        "restart_prob": restart_probs,
        "similarity": similarity,
        "similarity_floor": mean_similarity(vectors),
        "false_negative_rate": None if classes is None else rates,
        "false_negative_rate_floor": (
            None if classes is None else uniform_floor(classes)
        ),
    }


class _OnGraph(RandomWalkPolicy):
    r"""Walks on a graph that is there."""

    def __init__(self, *dials: Any, graph: Data) -> None:
        super().__init__(*dials)
        object.__setattr__(self, "graph", graph)

    def prepare(self, embeddings: Any, generator: Generator) -> Data:
        return self.graph  # type: ignore[attr-defined]
