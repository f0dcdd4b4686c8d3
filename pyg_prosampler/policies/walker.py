r"""Walks on a graph, many at a time, and what they collect."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Generator
from torch_geometric.data import Data

from pyg_prosampler.walk import to_csr, walk_csr

# A walk that is taken ahead has so many times as many steps as walks needed so far.
_SPARE = 1.3
# Steps that are taken at a time, by all walks together.
_MAX_STEPS = 1 << 19


class Walker:
    r"""Collects instances by random walks with restart from random starts.

    Traces do not depend on who may be collected. So, many walks advance together and
    wait for their turn; one whose start is not allowed any more by then is left out,
    so that starts are uniform among those allowed.

    Args:
        graph (Data): The graph of :math:`n` nodes.
        nodes (numpy.ndarray): The instance of every node :math:`[n]`.
        starts (numpy.ndarray): A mask of the instances where walks may start
            :math:`[N]`, which may change at any time.
        members (numpy.ndarray): The same for those that may be collected.
        batch_size (int): The number of instances that are to be collected at a time.
        max_steps (int): The bound on the steps of a walk.
        restart_prob (float): The restart probability. At 1, instead of walks, the
            start and its neighbours from the nearest on, then theirs.
        backend (str): See :meth:`~pyg_prosampler.random_walk_with_restart`.
        generator (torch.Generator): The source of randomness.
    """

    def __init__(
        self,
        graph: Data,
        nodes: np.ndarray,
        starts: np.ndarray,
        members: np.ndarray,
        batch_size: int,
        max_steps: int,
        restart_prob: float,
        backend: str,
        generator: Generator,
    ) -> None:
        self.rowptr, self.col = to_csr(graph)
        self.nodes = nodes
        self.starts = starts
        self.members = members
        self.batch_size = batch_size
        self.max_steps = max_steps
        self.restart_prob = restart_prob
        self.backend = backend
        self.generator = generator

        self.waiting: Iterator[np.ndarray] = iter(())
        self.num_allowed = 0
        self.pace = 1.5  # Steps for each instance that is collected.
        self.taken = np.zeros(nodes.size, dtype=bool)
        self.latest = np.empty(nodes.size, dtype=np.int64)

    def collect(self, num_starts: int) -> np.ndarray | None:
        r"""Returns a batch of what walks from so many distinct starts collect, each of
        them nothing that another one has or starts at; :obj:`None` if there is nowhere
        to start.
        """
        walks = self._next_walks(num_starts)
        if not walks:
            return None
        starts = [int(trace[0]) for trace in walks]
        self.taken[starts] = True
        parts = []
        for index, (start, trace) in enumerate(zip(starts, walks, strict=True)):
            self.taken[start] = False
            # They sum to the batch size.
            size = (self.batch_size + index) // len(walks)
            parts.append(self._first_visits(trace, size))
            self.taken[parts[-1]] = True
        found = np.concatenate(parts)
        self.taken[found] = False
        self.taken[starts] = False
        return self.nodes[found]

    def _next_walks(self, num_starts: int) -> list[np.ndarray]:
        r"""Takes the next walks whose starts are allowed, and distinct."""
        num_allowed = int(np.count_nonzero(self.starts))
        if num_allowed > self.num_allowed:  # Who waits is only some of them.
            self.waiting = iter(())
        self.num_allowed = num_allowed
        if num_starts > 1:
            num_starts = min(num_starts, int(np.count_nonzero(self.starts[self.nodes])))
        chosen: dict[int, np.ndarray] = {}
        while len(chosen) < num_starts:
            trace = next(self.waiting, None)
            if trace is None:
                allowed = np.flatnonzero(self.starts[self.nodes])
                if allowed.size == 0:
                    break
                self.waiting = iter(self._walk_ahead(allowed, num_starts))
                continue
            start = int(trace[0])
            if self.starts[self.nodes[start]]:
                chosen.setdefault(start, trace)
        return list(chosen.values())

    def _walk_ahead(self, allowed: np.ndarray, num_starts: int) -> np.ndarray:
        r"""Walks from starts for about half of the batches that allowed ones fill."""
        size = -(-self.batch_size // num_starts)
        num_steps = min(self.max_steps, int(_SPARE * self.pace * size) + 1)
        num = num_starts * -(-allowed.size // (2 * self.batch_size))
        num = max(1, min(num, _MAX_STEPS // num_steps))
        draws = torch.randint(allowed.size, (num,), generator=self.generator)
        start = torch.from_numpy(allowed)[draws]
        if self.restart_prob == 1.0:
            return start.view(-1, 1).numpy()
        return self._walk(start, num_steps, start)

    def _walk(
        self, start: torch.Tensor, num_steps: int, begin: torch.Tensor
    ) -> np.ndarray:
        return walk_csr(
            self.rowptr,
            self.col,
            start,
            num_steps,
            self.restart_prob,
            self.generator,
            self.backend,
            begin,
        ).numpy()

    def _first_visits(self, trace: np.ndarray, size: int) -> np.ndarray:
        r"""Returns the first nodes of a trace that are free, in order of first visit,
        and walks on while these are too few.
        """
        if self.restart_prob == 1.0:
            return self._nearest_first(int(trace[0]), size)
        while True:
            order = np.arange(trace.size)
            self.latest[trace[::-1]] = order[::-1]  # The first visit is written last.
            is_first = self.latest[trace] == order
            place = np.flatnonzero(is_first & self._is_free(trace))[:size]
            num_left = self.max_steps + 1 - trace.size
            if place.size == size or num_left <= 0:
                needed = place[-1] + 1 if place.size == size else trace.size
                self.pace += 0.1 * (needed / size - self.pace)
                return trace[place]
            num_steps = min(num_left, 2 * trace.size)
            start, begin = torch.from_numpy(trace[[0, -1]]).view(2, 1)
            further = self._walk(start, num_steps, begin)[0, 1:]
            trace = np.concatenate([trace, further])

    def _is_free(self, nodes: np.ndarray) -> np.ndarray:
        return self.members[self.nodes[nodes]] & ~self.taken[nodes]

    def _nearest_first(self, start: int, size: int) -> np.ndarray:
        r"""Returns the start and its neighbours, nearest first, then theirs, as far as
        they are free, until they are as many as asked for or as many have been
        expanded.
        """
        order, seen = [start], {start}
        num_free = int(self._is_free(np.array(order))[0])
        for num_expanded, node in enumerate(order, start=1):  # It grows meanwhile.
            neighbors = self.col[self.rowptr[node] : self.rowptr[node + 1]].numpy()
            for neighbor, is_free in zip(
                neighbors.tolist(), self._is_free(neighbors).tolist(), strict=True
            ):
                if neighbor not in seen:
                    seen.add(neighbor)
                    order.append(neighbor)
                    num_free += is_free
            if num_free >= size or num_expanded == size:
                break
        nodes = np.array(order)
        return nodes[self._is_free(nodes)][:size]
