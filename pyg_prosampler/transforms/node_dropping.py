r"""Dropping nodes."""

import torch
from torch import Generator, Tensor
from torch_geometric.data import Data

from pyg_prosampler.transforms.augmentation import Augmentation, Change
from pyg_prosampler.transforms.layout import Layout
from pyg_prosampler.transforms.selection import (
    check_share,
    sample_per_graph,
    share_of,
)


class NodeDropping(Augmentation):
    r"""Drops :math:`\lfloor p \cdot n \rfloor` of the :math:`n` nodes of each
    graph, drawn uniformly, together with their edges. From the `"Graph
    Contrastive Learning with Augmentations" <https://arxiv.org/abs/2010.13902>`_
    paper.

    :obj:`p=1` leaves empty graphs; a smaller share leaves at least one node.

    Args:
        p (float, optional): The share of nodes to drop. (default: :obj:`0.1`)
        generator (torch.Generator, optional): The source of randomness.
            (default: :obj:`None`, the global one)

    Raises:
        ValueError: If :obj:`p` lies outside :math:`[0, 1]`.

    Example:
        >>> import torch
        >>> edge_index = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])
        >>> data = Data(x=torch.rand(4, 8), edge_index=edge_index)
        >>> NodeDropping(p=0.25)(data)
        Data(x=[3, 8], edge_index=[2, 2])
    """

    def __init__(self, p: float = 0.1, generator: Generator | None = None) -> None:
        super().__init__(generator)
        self.p = check_share("p", p)

    def change(
        self, data: Data, layout: Layout, chosen: Tensor | None = None
    ) -> Change:
        count = share_of(self.p, layout.sizes)
        if chosen is not None:
            count = count * chosen
        dropped = sample_per_graph(layout.batch, count, self.generator)
        node_mask = torch.ones_like(layout.batch, dtype=torch.bool)
        node_mask[dropped] = False
        return data, node_mask, None
