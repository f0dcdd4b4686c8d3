r"""Batches of several clusters of hard but not too hard negatives."""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Generator, Tensor

from pyg_prosampler.policies.base import deal_clusters
from pyg_prosampler.proximity import knn_graph


@dataclass(frozen=True)
class B3Policy:
    r"""`"B3" <https://arxiv.org/abs/2505.11293>`_: every instance leaves out the
    :math:`p` others most similar to it, likely false negatives, and keeps the next
    :math:`m`. The graph of pairs that keep each other is partitioned by METIS into
    clusters of about :math:`K` instances, and a batch is made of :math:`B / K`
    random clusters: a strict partition.

    METIS balances its clusters within a few percent; they are put one after the
    other into batches, so that some are shared by two batches. At :math:`K = 1`
    batches are uniform; at :math:`K = B` they are one cluster each, which the paper
    finds worse than something in between.

    Needs the package `pymetis <https://github.com/inducer/pymetis>`_. What METIS
    finds may differ between its versions and platforms.

    Args:
        num_skipped (int, optional): The number of most similar others to leave out
            :math:`p`. (default: :obj:`10`)
        num_neighbors (int, optional): The number of others to keep :math:`m`; where
            there are fewer, all of them. (default: :obj:`100`)
        cluster_size (int, optional): The size of clusters :math:`K`; no more than
            the batch size is used. (default: :obj:`32`)

    Raises:
        ImportError: If pymetis is not installed.
    """

    num_skipped: int = 10
    num_neighbors: int = 100
    cluster_size: int = 32

    def __post_init__(self) -> None:
        for name, least in (
            ("num_skipped", 0),
            ("num_neighbors", 1),
            ("cluster_size", 1),
        ):
            value = getattr(self, name)
            if value < least:
                raise ValueError(f"`{name}` should be at least {least} (got {value})")
        _metis()

    def prepare(
        self, embeddings: Callable[[], Tensor], generator: Generator
    ) -> csr_array:
        r"""Builds the graph of pairs that keep each other."""
        vectors = embeddings()
        num_nodes = vectors.size(0)
        if self.num_skipped >= num_nodes - 1:
            raise ValueError(
                f"`num_skipped` should be less than {num_nodes - 1}, the number of "
                f"other instances, to keep any of them (got {self.num_skipped})"
            )
        ranked = knn_graph(vectors, self.num_skipped + self.num_neighbors)
        kept = ranked.edge_index[1].cpu().view(num_nodes, -1)[:, self.num_skipped :]
        rowptr = np.arange(num_nodes + 1) * kept.size(1)
        graph = csr_array(
            (np.ones(kept.numel(), dtype=np.int8), kept.reshape(-1).numpy(), rowptr),
            shape=(num_nodes, num_nodes),
        )
        return csr_array(graph.multiply(graph.T))

    def batches(
        self,
        prepared: csr_array,
        starts: Tensor,
        members: Tensor,
        batch_size: int,
        epoch: int,
        generator: Generator,
    ) -> Iterator[Tensor]:
        r"""Partitions the graph of all members and deals its clusters."""
        nodes = members.nonzero().view(-1)
        # METIS has no use for its seed; what it finds depends on the order of nodes.
        nodes = nodes[torch.randperm(nodes.numel(), generator=generator)]
        among = prepared[nodes.numpy()][:, nodes.numpy()]
        size = min(self.cluster_size, batch_size)
        label = _partition(among, -(-nodes.numel() // size))
        order = label.argsort(stable=True)
        clusters = nodes[order].split(label.bincount().tolist())
        yield from deal_clusters(clusters, batch_size, generator)


def _partition(graph: csr_array, num_parts: int) -> Tensor:
    r"""Returns the part of every node :math:`[n]`."""
    num_nodes = graph.shape[0]
    if num_parts >= num_nodes:
        return torch.arange(num_nodes)
    metis = _metis()
    _, part = metis.part_graph(
        num_parts,
        metis.CSRAdjacency(graph.indptr, graph.indices),
    )
    return torch.tensor(part)


def _metis() -> Any:
    try:
        return importlib.import_module("pymetis")
    except ImportError as error:
        raise ImportError(
            "`B3Policy` needs the package pymetis to partition graphs; install it by "
            "`pip install pymetis`"
        ) from error
