r"""What all augmentations share."""

import copy

from torch import Generator, Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from pyg_prosampler.transforms.filter import filter_graphs
from pyg_prosampler.transforms.layout import Layout

Change = tuple[Data, Tensor | None, Tensor | None]


class Augmentation(BaseTransform):
    r"""A random change of graphs, the base class of all augmentations.

    An augmentation acts on a :class:`~torch_geometric.data.Data` or on each
    graph of a :class:`~torch_geometric.data.Batch`, all at once, on the device
    they are on. The input is never changed; attributes that do not change are
    shared with the output.

    * Attributes with one entry per node or per edge follow the nodes and edges.
      Others stay as they are, among them labels, and also those that hold node
      numbers in any other form, such as :obj:`face`.
    * In a batch, the graphs keep their number and order. A graph that loses all
      its nodes or edges stays as an empty graph, which sum pooling maps to zero.
      Nodes and edges stay grouped by graph, so that
      :meth:`~torch_geometric.data.Batch.to_data_list` works on the output.
    * Shares of a graph are rounded in exact arithmetic of the decimal written:
      :obj:`p=0.29` of 100 nodes are 29.

    Sub-classes implement :meth:`change`.

    Args:
        generator (torch.Generator, optional): The source of randomness. One on
            the CPU gives the same result for graphs on any device. (default:
            :obj:`None`, the global one of the device)
    """

    def __init__(self, generator: Generator | None = None) -> None:
        self.generator = generator

    def forward(self, data: Data) -> Data:
        layout = Layout.of(data, self.__class__.__name__)
        data, node_mask, edge_mask = self.change(data, layout)
        return filter_graphs(data, layout, node_mask, edge_mask)

    def change(
        self, data: Data, layout: Layout, chosen: Tensor | None = None
    ) -> Change:
        r"""Says what changes, in three parts that several augmentations of
        different graphs of a batch can share.

        Args:
            data (torch_geometric.data.Data): The graphs; not to be changed.
            layout (Layout): Which node belongs to which graph.
            chosen (torch.Tensor, optional): The graphs to change, a mask of
                shape :obj:`[num_graphs]`. (default: :obj:`None`, all)

        Returns:
            The graphs with new attributes of the old sizes, the mask of the
            nodes to keep and the mask of the edges to keep, each :obj:`None` if
            none goes.
        """
        raise NotImplementedError

    def __repr__(self) -> str:
        shown = {k: v for k, v in vars(self).items() if k != "generator"}
        inside = ", ".join(f"{key}={value}" for key, value in shown.items())
        return f"{self.__class__.__name__}({inside})"


class Identity(Augmentation):
    r"""Leaves graphs as they are: the view of a framework that contrasts the
    original with an augmented graph.

    Example:
        >>> Identity()
        Identity()
    """

    def __init__(self) -> None:
        super().__init__()

    def change(
        self, data: Data, layout: Layout, chosen: Tensor | None = None
    ) -> Change:
        return copy.copy(data), None, None
