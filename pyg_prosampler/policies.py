r"""Batch policies: which instances share a batch.

A policy is small and has no state: :meth:`~BatchPolicy.prepare` makes of the
current embeddings what the policy needs, and :meth:`~BatchPolicy.batches` draws
batches from it. Epochs, refreshes, warm-up, coverage and filling up belong to
:class:`~pyg_prosampler.ProSampler`, once for all policies.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Generator, Tensor
from torch_geometric.data import Data

from pyg_prosampler.proximity import check_dials, proximity_graph
from pyg_prosampler.schedule import LinearDecay, Schedule
from pyg_prosampler.walk import (
    check_restart_prob,
    resolve_backend,
    to_csr,
    walk_csr,
)


class BatchPolicy(Protocol):
    r"""What :class:`~pyg_prosampler.ProSampler` asks of a policy."""

    def prepare(self, embeddings: Callable[[], Tensor], generator: Generator) -> Any:
        r"""Makes of the embeddings, :obj:`embeddings()` of shape
        :math:`[N, d]`, what batches are drawn from. Called at every refresh.
        """

    def batches(
        self,
        prepared: Any,
        starts: Tensor,
        members: Tensor,
        batch_size: int,
        epoch: int,
        generator: Generator,
    ) -> Iterator[Tensor]:
        r"""Draws batches of up to :obj:`batch_size` distinct indices.

        :obj:`starts` and :obj:`members`, boolean masks :math:`[N]`, say where
        a batch may begin and who may be in it. The sampler keeps them up to
        date while it takes batches; it fills up a batch that is too small.
        """


@dataclass(frozen=True)
class UniformPolicy:
    r"""Random batches, as of a plain data loader with shuffling."""

    def prepare(self, embeddings: Callable[[], Tensor], generator: Generator) -> None:
        r"""Needs no embeddings."""

    def batches(
        self,
        prepared: None,
        starts: Tensor,
        members: Tensor,
        batch_size: int,
        epoch: int,
        generator: Generator,
    ) -> Iterator[Tensor]:
        r"""Cuts a random permutation of all members into batches."""
        nodes = members.nonzero().view(-1)
        order = torch.randperm(nodes.numel(), generator=generator)
        yield from nodes[order].split(batch_size)


@dataclass(frozen=True)
class RandomWalkPolicy:
    r"""The batches of the `"ProSampler" <https://arxiv.org/abs/2306.03355>`_
    paper: the instances that a random walk with restart on the proximity graph
    visits first.

    At a restart probability of 1 the walk never leaves its start; there, the
    limit is taken: the start, its neighbours from the nearest on, then theirs.

    Args:
        num_candidates (int): The number of candidates :math:`M` of the
            proximity graph.
        num_neighbors (int): Its number of neighbours :math:`K`.
        restart_prob (float or Callable, optional): The restart probability, or
            a function from the epoch to it. (default: :obj:`LinearDecay()`)
        max_steps (int, optional): The bound on the steps of a walk, after which
            a batch is filled up. (default: :obj:`None`, 20 times the batch
            size)
        backend (str, optional): See
            :meth:`~pyg_prosampler.random_walk_with_restart`.
            (default: :obj:`"auto"`)
    """

    num_candidates: int
    num_neighbors: int
    restart_prob: float | Schedule = field(default_factory=LinearDecay)
    max_steps: int | None = None
    backend: str = "auto"

    def __post_init__(self) -> None:
        resolve_backend(self.backend)
        self.restart_prob_at(0)
        if self.max_steps is not None and self.max_steps < 1:
            raise ValueError(f"`max_steps` should be at least 1 (got {self.max_steps})")
        check_dials(self.num_candidates + 1, self.num_candidates, self.num_neighbors)

    def restart_prob_at(self, epoch: int) -> float:
        r"""The restart probability in an epoch."""
        prob = self.restart_prob
        prob = prob(epoch) if callable(prob) else prob
        check_restart_prob(prob)
        return prob

    def prepare(self, embeddings: Callable[[], Tensor], generator: Generator) -> Data:
        r"""Builds the proximity graph."""
        graph = proximity_graph(
            embeddings(), self.num_candidates, self.num_neighbors, generator=generator
        )
        return graph.cpu()

    def batches(
        self,
        prepared: Data,
        starts: Tensor,
        members: Tensor,
        batch_size: int,
        epoch: int,
        generator: Generator,
    ) -> Iterator[Tensor]:
        r"""Walks from a uniformly drawn start for every batch."""
        rowptr, col = to_csr(prepared)
        backend = resolve_backend(self.backend)
        restart_prob = self.restart_prob_at(epoch)
        max_steps = self.max_steps or 20 * batch_size
        while True:
            choices = starts.nonzero().view(-1)
            if choices.numel() == 0:
                return
            start = choices[torch.randint(choices.numel(), (1,), generator=generator)]
            if restart_prob == 1.0:
                trace = _nearest_first(rowptr, col, int(start), members, batch_size)
            else:
                trace = walk_csr(
                    rowptr, col, start, max_steps, restart_prob, generator, backend
                )[0]
            yield _first_visits(trace[members[trace]])[:batch_size]


def _first_visits(trace: Tensor) -> Tensor:
    r"""Returns the distinct nodes of a trace in the order of first visit."""
    _, first = np.unique(trace.numpy(), return_index=True)
    return trace[torch.from_numpy(np.sort(first))]


def _nearest_first(
    rowptr: Tensor, col: Tensor, start: int, members: Tensor, batch_size: int
) -> Tensor:
    r"""Returns the start and its neighbours, nearest first, then theirs, until
    a batch is full or as many nodes as it holds have been expanded.
    """
    order, found = [start], {start}
    num_members = int(members[start])
    for num_expanded, node in enumerate(order, start=1):  # It grows meanwhile.
        neighbors = col[rowptr[node] : rowptr[node + 1]]
        for neighbor, is_member in zip(
            neighbors.tolist(), members[neighbors].tolist(), strict=True
        ):
            if neighbor not in found:
                found.add(neighbor)
                order.append(neighbor)
                num_members += is_member
        if num_members >= batch_size or num_expanded == batch_size:
            break
    return torch.tensor(order)
