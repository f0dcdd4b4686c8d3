r"""Batches of random walks on the proximity graph."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Generator, Tensor
from torch_geometric.data import Data

from pyg_prosampler.dials import check_candidates, check_dials
from pyg_prosampler.policies.walker import Walker
from pyg_prosampler.proximity import proximity_graph
from pyg_prosampler.schedule import LinearDecay, Schedule
from pyg_prosampler.walk import check_restart_prob, resolve_backend


@dataclass(frozen=True)
class RandomWalkPolicy:
    r"""The batches of the `"ProSampler" <https://arxiv.org/abs/2306.03355>`_
    paper: the instances that a random walk with restart on the proximity graph
    visits first.

    With several starts :math:`s`, a batch is put together from as many walks, each of
    which collects :math:`B / s` instances that no other has. :math:`s = 1` is the
    paper's walk, :math:`s = B` a uniform batch.

    At a restart probability of 1 the walk never leaves its start; there, the
    limit is taken: the start, its neighbours from the nearest on, then theirs.

    With :obj:`coverage="partition"`, walks step on everybody but collect only
    who is unused, and these become rare. So, when no more than :obj:`rebuild_at` of
    the nodes of the proximity graph are unused, it is built anew among these, with as
    many candidates, and with neighbours in proportion to the square root of the
    number of nodes. With a half, all graphs of an epoch cost less than two of the
    first. Batches drawn early, which use what is easily found, are still harder than
    those drawn late, which are left with what is unlike everything; the sampler
    spreads both over the epoch. A walk as such is the paper's. Other coverages use up
    nobody, and nothing of this happens.

    Args:
        num_candidates (int): The number of candidates :math:`M` of the
            proximity graph.
        num_neighbors (int): Its number of neighbours :math:`K`.
        restart_prob (float or Callable, optional): The restart probability, or
            a function from the epoch to it. (default: :obj:`LinearDecay()`)
        max_steps (int, optional): The bound on the steps of a walk, after which
            a batch is filled up. (default: :obj:`None`, 20 times the number of
            instances it is to collect)
        backend (str, optional): See
            :meth:`~pyg_prosampler.random_walk_with_restart`.
            (default: :obj:`"auto"`)
        num_starts (int, optional): The number of starts :math:`s`, at most the
            batch size. (default: :obj:`1`)
        rebuild_at (float, optional): The share of unused nodes at which the
            proximity graph is built anew among them, in :math:`[0, 1)`; :obj:`0`
            is never. (default: :obj:`0.5`)
        candidates (str, optional): Whether sets of candidates are independent; see
            :meth:`~pyg_prosampler.proximity_graph`. (default: :obj:`"auto"`)
    """

    shuffle_partition: ClassVar[bool] = True

    num_candidates: int
    num_neighbors: int
    restart_prob: float | Schedule = field(default_factory=LinearDecay)
    max_steps: int | None = None
    backend: str = "auto"
    num_starts: int = 1
    rebuild_at: float = 0.5
    candidates: str = "auto"

    def __post_init__(self) -> None:
        resolve_backend(self.backend)
        check_candidates(self.candidates)
        self.restart_prob_at(0)
        if self.max_steps is not None and self.max_steps < 1:
            raise ValueError(f"`max_steps` should be at least 1 (got {self.max_steps})")
        if self.num_starts < 1:
            raise ValueError(
                f"`num_starts` should be at least 1 (got {self.num_starts})"
            )
        if not 0.0 <= self.rebuild_at < 1.0:
            raise ValueError(
                f"`rebuild_at` should be at least 0 and less than 1 (got "
                f"{self.rebuild_at}); pass 0.5 to rebuild whenever half is used"
            )
        check_dials(self.num_candidates + 1, self.num_candidates, self.num_neighbors)

    def restart_prob_at(self, epoch: int) -> float:
        r"""The restart probability in an epoch."""
        prob = self.restart_prob
        prob = prob(epoch) if callable(prob) else prob
        check_restart_prob(prob)
        return prob

    def prepare(self, embeddings: Callable[[], Tensor], generator: Generator) -> Data:
        r"""Builds the proximity graph, with the embeddings as node features."""
        return self._build(
            embeddings(), self.num_candidates, self.num_neighbors, generator
        )

    def batches(
        self,
        prepared: Data,
        starts: Tensor,
        members: Tensor,
        batch_size: int,
        epoch: int,
        generator: Generator,
    ) -> Iterator[Tensor]:
        r"""Walks from uniformly drawn starts for every batch."""
        if self.num_starts > batch_size:
            raise ValueError(
                f"`num_starts` should be at most {batch_size}, the batch size (got "
                f"{self.num_starts})"
            )
        nodes = np.arange(members.numel())
        walker = self._walker(
            prepared, nodes, starts, members, batch_size, epoch, generator
        )
        while True:
            if self._is_used_up(nodes, members, batch_size):
                nodes = members.nonzero().view(-1).numpy()
                graph = self._rebuild(prepared, nodes, generator)
                walker = self._walker(
                    graph, nodes, starts, members, batch_size, epoch, generator
                )
            batch = walker.collect(self.num_starts)
            if batch is None:
                return
            yield torch.from_numpy(batch)

    def _walker(
        self,
        graph: Data,
        nodes: np.ndarray,
        starts: Tensor,
        members: Tensor,
        batch_size: int,
        epoch: int,
        generator: Generator,
    ) -> Walker:
        return Walker(
            graph,
            nodes,
            starts.numpy(),
            members.numpy(),
            batch_size,
            self.max_steps or 20 * -(-batch_size // self.num_starts),
            self.restart_prob_at(epoch),
            resolve_backend(self.backend),
            generator,
        )

    def _is_used_up(self, nodes: np.ndarray, members: Tensor, batch_size: int) -> bool:
        # No more than a batch is one batch, whatever the graph.
        num_members = int(np.count_nonzero(members.numpy()))
        return batch_size < num_members <= self.rebuild_at * nodes.size

    def _rebuild(self, prepared: Data, nodes: np.ndarray, generator: Generator) -> Data:
        num_others = nodes.size - 1
        share = nodes.size / prepared.num_nodes
        # As many neighbours as before would blur what is near; in proportion, many a
        # component would be smaller than a batch.
        num_neighbors = max(1, round(self.num_neighbors * share**0.5))
        return self._build(
            prepared.x[torch.from_numpy(nodes).to(prepared.x.device)],
            min(self.num_candidates, num_others),
            min(num_neighbors, num_others),
            generator,
        )

    def _build(
        self,
        embeddings: Tensor,
        num_candidates: int,
        num_neighbors: int,
        generator: Generator,
    ) -> Data:
        graph = proximity_graph(
            embeddings,
            num_candidates,
            num_neighbors,
            candidates=self.candidates,
            generator=generator,
        ).cpu()
        graph.x = embeddings.detach()
        return graph
