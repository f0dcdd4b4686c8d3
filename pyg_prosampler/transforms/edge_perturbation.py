r"""Replacing edges by random ones."""

import copy

import torch
from torch import Generator, Tensor
from torch_geometric.data import Data
from torch_geometric.utils import cumsum

from pyg_prosampler.transforms.augmentation import Augmentation, Change
from pyg_prosampler.transforms.layout import Layout, plain
from pyg_prosampler.transforms.pairs import Edges, random_non_edges
from pyg_prosampler.transforms.selection import (
    check_share,
    sample_per_graph,
    share_of,
)


class EdgePerturbation(Augmentation):
    r"""Removes :math:`\lfloor p \cdot m \rfloor` of the :math:`m` edges of each
    graph, drawn uniformly, and adds as many that were not there. From the `"Graph
    Contrastive Learning with Augmentations" <https://arxiv.org/abs/2010.13902>`_
    paper.

    * In an undirected graph, where every edge is stored in both directions, an
      edge is a pair of nodes: both directions go and come together, and
      :math:`m` counts pairs. Directed and undirected graphs may share a batch.
    * The added edges are a uniform draw without replacement from all pairs of
      different nodes of the same graph that are not edges of the input. Where
      there are fewer such pairs than removed edges, all of them are added: a
      complete graph only loses edges.
    * An added edge stands where a removed one stood, direction by direction, and
      takes over its attributes. So the order of edges is no longer sorted.
    * Self-loops stay as they are and count as no edge. Each of several equal
      edges counts.

    Args:
        p (float, optional): The share of edges to replace. (default: :obj:`0.1`)
        add (bool, optional): If :obj:`False`, edges are only removed, as in the
            public code of the paper. (default: :obj:`True`)
        is_undirected (bool, optional): Whether the graphs are undirected.
            (default: :obj:`None`, each graph is checked, in one pass over the
            edges without sorting; :obj:`False` treats the two directions of an
            edge as two edges)
        generator (torch.Generator, optional): The source of randomness.
            (default: :obj:`None`, the global one)

    Raises:
        ValueError: If :obj:`p` lies outside :math:`[0, 1]`, or
            :obj:`is_undirected` is :obj:`True` and an edge has no reverse.

    Example:
        >>> import torch
        >>> source = torch.arange(10)  # A ring.
        >>> edge_index = torch.stack([source, (source + 1) % 10])
        >>> edge_index = torch.cat([edge_index, edge_index.flip(0)], dim=1)
        >>> data = Data(edge_index=edge_index, num_nodes=10)
        >>> view = EdgePerturbation(p=0.2)(data)
        >>> view, view.is_undirected()
        (Data(edge_index=[2, 20], num_nodes=10), True)
        >>> EdgePerturbation(p=0.2, add=False)(data)
        Data(edge_index=[2, 16], num_nodes=10)
    """

    def __init__(
        self,
        p: float = 0.1,
        add: bool = True,
        is_undirected: bool | None = None,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(generator)
        self.p = check_share("p", p)
        self.add = add
        self.is_undirected = is_undirected

    def change(
        self, data: Data, layout: Layout, chosen: Tensor | None = None
    ) -> Change:
        edge_index = plain(data.edge_index)
        if edge_index is None or edge_index.numel() == 0:
            return copy.copy(data), None, None

        edges = Edges.of(edge_index, layout, chosen, self.is_undirected)
        forward = edges.forward()
        graph = edges.graph.index_select(0, forward)
        sizes = torch.bincount(graph, minlength=layout.num_graphs)
        count = share_of(self.p, sizes)
        removed = forward[sample_per_graph(graph, count, self.generator)]
        reverse = edges.reverse(removed, layout.num_nodes)
        edge_mask = torch.ones_like(edge_index[0], dtype=torch.bool)
        edge_mask[edges.position[removed]] = False
        edge_mask[edges.position[reverse]] = False
        if not self.add:
            return data, None, edge_mask

        source, target, added = random_non_edges(
            edges, forward, layout, count, self.generator
        )
        graph = edges.graph[removed]
        rank = torch.arange(graph.numel(), device=graph.device) - cumsum(count)[graph]
        replaced = rank < added[graph]
        there = edges.position[removed[replaced]]
        back = edges.position[reverse[replaced]]  # The same in directed graphs.
        out = copy.copy(data)
        out.edge_index = edge_index.clone()
        out.edge_index[:, back] = torch.stack([target, source])
        out.edge_index[:, there] = torch.stack([source, target])
        edge_mask[back] = True
        edge_mask[there] = True
        return out, None, None if bool(edge_mask.all()) else edge_mask
