r"""Keeping a connected part of each graph."""

import torch
from torch import Generator, Tensor
from torch_geometric.data import Data

from pyg_prosampler.transforms.augmentation import Augmentation, Change
from pyg_prosampler.transforms.layout import Layout, plain
from pyg_prosampler.transforms.selection import (
    check_share,
    integers_below,
    positions,
    rand,
    share_of,
    smallest_per_graph,
)


class Subgraph(Augmentation):
    r"""Keeps a snowball sample of each graph: from a uniformly drawn node it
    grows by a uniformly drawn node of its frontier at a time, until it has
    :math:`\lceil r \cdot n \rceil` of the :math:`n` nodes or nothing is left to
    reach. All edges between kept nodes stay. From the `"Graph Contrastive
    Learning with Augmentations" <https://arxiv.org/abs/2010.13902>`_ paper.

    All graphs grow at once: each node :math:`v` gets an independent clock
    :math:`w_v \sim \mathrm{Exp}(1)` that starts when its first neighbour is
    reached, so that it is reached itself at time

    .. math::
        t_v = w_v + \min_{(u, v) \in \mathcal{E}} t_u .

    Clocks have no memory, hence whichever frontier node is next is uniform among
    them, and the nodes with the smallest :math:`t_v` are a snowball sample. The
    times are relaxed along the edges (source to target) until none changes, some
    ten times for most graphs, never more often than a graph has nodes.

    Args:
        ratio (float, optional): The share of nodes to keep. (default:
            :obj:`None`, 0.8, or 0.2 if :obj:`published`)
        published (bool, optional): If :obj:`True`, does what the public code of
            the paper does: only neighbours of the first node are ever drawn, up
            to :math:`\lfloor r \cdot n \rfloor` of them. (default: :obj:`False`)
        generator (torch.Generator, optional): The source of randomness.
            (default: :obj:`None`, the global one)

    Raises:
        ValueError: If :obj:`ratio` lies outside :math:`(0, 1]`.

    Example:
        >>> import torch
        >>> source = torch.arange(10)  # A ring.
        >>> edge_index = torch.stack([source, (source + 1) % 10])
        >>> edge_index = torch.cat([edge_index, edge_index.flip(0)], dim=1)
        >>> Subgraph()(Data(x=torch.ones(10, 1), edge_index=edge_index))
        Data(x=[8, 1], edge_index=[2, 14])
    """

    def __init__(
        self,
        ratio: float | None = None,
        published: bool = False,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(generator)
        if ratio is None:
            ratio = 0.2 if published else 0.8
        self.ratio = check_share("ratio", ratio, positive=True)
        self.published = published

    def change(
        self, data: Data, layout: Layout, chosen: Tensor | None = None
    ) -> Change:
        if self.published:
            count = 1 + share_of(self.ratio, layout.sizes)
        else:
            count = share_of(self.ratio, layout.sizes, round_up=True)
        time = self._arrival_times(data, layout, chosen)
        reached = positions(time.isfinite())
        kept = smallest_per_graph(
            time.index_select(0, reached), layout.batch.index_select(0, reached), count
        )
        node_mask = torch.zeros_like(layout.batch, dtype=torch.bool)
        node_mask[reached[kept]] = True
        if chosen is not None:
            node_mask |= ~chosen.index_select(0, layout.batch)
        return data, node_mask, None

    def _arrival_times(
        self, data: Data, layout: Layout, chosen: Tensor | None
    ) -> Tensor:
        ptr, sizes = layout.ptr, layout.sizes
        clock = -torch.log1p(-rand(layout.num_nodes, ptr, self.generator))
        some = sizes > 0
        start = ptr[:-1][some] + integers_below(sizes[some], self.generator)
        time = torch.full_like(clock, torch.inf)
        time[start] = 0
        edge_index = plain(data.edge_index)
        if edge_index is None:
            return time
        source, target = edge_index[0], edge_index[1]
        if chosen is not None:
            mine = chosen.index_select(0, layout.batch)
            edge = positions(mine.index_select(0, source))
            source, target = source.index_select(0, edge), target.index_select(0, edge)
        active = time == 0  # The nodes whose times are news to their neighbours.
        while True:
            edge = positions(active.index_select(0, source))
            reached = target.index_select(0, edge)
            arrival = time.index_select(0, source.index_select(0, edge))
            arrival = arrival + clock.index_select(0, reached)
            earlier = time.scatter_reduce(0, reached, arrival, "amin")
            active = earlier < time
            time = earlier
            if self.published or not bool(active.any()):
                return time
