r"""Edges as pairs of nodes: their reverses, and the pairs that are no edges."""

from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch_geometric.utils import cumsum

from pyg_prosampler.transforms.layout import Layout
from pyg_prosampler.transforms.selection import distinct_numbers, positions


class Edges(NamedTuple):
    r"""Edges without self-loops, in ascending order of (source, target).

    Shape: all are :obj:`[num_edges]`, but :obj:`undirected` is
    :obj:`[num_graphs]`. :obj:`position` is the place among the original edges.
    """

    position: Tensor
    source: Tensor
    target: Tensor
    graph: Tensor
    key: Tensor
    undirected: Tensor

    @classmethod
    def of(
        cls,
        edge_index: Tensor,
        layout: Layout,
        chosen: Tensor | None,
        undirected: bool | None,
    ) -> "Edges":
        r"""Collects the edges of the chosen graphs; sorts only unsorted ones."""
        mask = edge_index[0] != edge_index[1]
        if chosen is not None:
            mask &= chosen[layout.batch].index_select(0, edge_index[0])
        position = positions(mask)
        source, target = edge_index.index_select(1, position)
        key = source * layout.num_nodes + target
        if not bool((key[1:] >= key[:-1]).all()):
            key, order = key.sort(stable=True)
            position, source, target = position[order], source[order], target[order]
        graph = layout.batch.index_select(0, source)
        if undirected is None:
            each = is_undirected(source, target, graph, layout)
        else:
            each = torch.full_like(layout.sizes, undirected, dtype=torch.bool)
        return cls(position, source, target, graph, key, each)

    def forward(self) -> Tensor:
        r"""The edges that stand for themselves and their reverse, if any."""
        paired = self.undirected.index_select(0, self.graph)
        return positions((self.source < self.target) | ~paired)

    def reverse(self, edge: Tensor, num_nodes: int) -> Tensor:
        r"""The reverse of each edge, or itself in directed graphs. Among equal
        edges, the first is the reverse of the first, and so on.
        """
        wanted = self.target[edge] * num_nodes + self.source[edge]
        copies = edge - torch.searchsorted(self.key, self.key[edge])
        reverse = torch.searchsorted(self.key, wanted) + copies
        reverse = reverse.clamp(max=self.key.numel() - 1)
        paired = self.undirected[self.graph[edge]]
        lonely = paired & (self.key[reverse] != wanted)
        if bool(lonely.any()):
            first = edge[lonely.nonzero()[0]]
            raise ValueError(
                f"`is_undirected=True`, but the edge ({int(self.source[first])}, "
                f"{int(self.target[first])}) has no reverse; apply `ToUndirected()` "
                f"first or pass is_undirected=None"
            )
        return torch.where(paired, reverse, edge)


def is_undirected(
    source: Tensor, target: Tensor, graph: Tensor, layout: Layout
) -> Tensor:
    r"""Tells for each graph whether all edges have their reverse, in one pass.

    For random vectors :math:`x, y`, a symmetric adjacency matrix has
    :math:`x^\top A y = y^\top A x`, and any other one fails this in integers
    modulo :math:`2^{64}` but for odds of about one in :math:`10^{17}`
    (Freivalds' test).
    """
    generator = torch.Generator(source.device).manual_seed(0)
    x, y = torch.randint(
        -(2**63),
        2**63 - 1,
        (2, layout.num_nodes),
        generator=generator,
        device=source.device,
    )
    there = x.index_select(0, source) * y.index_select(0, target)
    back = y.index_select(0, source) * x.index_select(0, target)
    difference = torch.zeros_like(layout.sizes)
    return difference.index_add_(0, graph, there - back) == 0


def random_non_edges(
    edges: Edges,
    forward: Tensor,
    layout: Layout,
    count: Tensor,
    generator: Generator | None,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Draws up to :obj:`count[g]` pairs of nodes of each graph :math:`g` that
    are not its edges, uniformly without replacement.

    All pairs of all graphs are numbered by (source, target): :math:`(v, w)` with
    :math:`v < w` in undirected graphs, :math:`v \neq w` in others. If
    :math:`s_0 < s_1 < \ldots` are the numbers of the edges, then the
    :math:`r`-th pair that is no edge has the number :math:`r + |\{i : s_i - i
    \leq r\}|`, so that no pair is ever listed or rejected.

    Returns:
        Sources and targets, grouped by graph, in random order in each, and how
        many there are of each graph.
    """
    batch, ptr = layout.batch, layout.ptr
    node = torch.arange(layout.num_nodes, device=ptr.device)
    ahead = ptr[1:][batch] - node - 1
    pairs = torch.where(edges.undirected[batch], ahead, layout.sizes[batch] - 1)
    first = cumsum(pairs)  # The number of each node's first pair.

    source = edges.source.index_select(0, forward)
    target = edges.target.index_select(0, forward)
    graph = edges.graph.index_select(0, forward)
    low = target - ptr.index_select(0, graph) - (target > source).long()
    paired = edges.undirected.index_select(0, graph)
    step = torch.where(paired, target - source - 1, low)
    taken = torch.unique_consecutive(first.index_select(0, source) + step)
    gaps = taken - torch.arange(taken.numel(), device=taken.device)

    free = (first[ptr] - torch.searchsorted(taken, first[ptr])).diff()
    count = count.minimum(free)
    number, graph = distinct_numbers(free, count, generator)
    number = number + cumsum(free)[graph]
    number = number + torch.searchsorted(gaps, number, right=True)

    source = torch.searchsorted(first, number, right=True) - 1
    step = number - first[source]
    low = ptr[graph] + step
    low = low + (low >= source).long()
    target = torch.where(edges.undirected[graph], source + 1 + step, low)
    return source, target, count
