r"""Graphs that no encoder that passes messages can tell apart."""

import torch
from torch import Tensor
from torch_geometric.loader import DataLoader
from torch_geometric.nn import WLConv

from pyg_prosampler.encode import GraphDataset


def twin_classes(dataset: GraphDataset, num_iterations: int = 3) -> Tensor:
    r"""Numbers the graphs of a data set such that two of them have the same number
    if and only if the Weisfeiler-Lehman test does not tell them apart.

    An encoder with as many layers gives twins the same embedding (`"How Powerful are
    Graph Neural Networks?" <https://arxiv.org/abs/1810.00826>`_), so that as
    negatives of each other they teach it nothing. Edge attributes are not looked at.

    Args:
        dataset (Dataset or Sequence[Data]): The graphs, with node features :obj:`x`
            of any kind, or without.
        num_iterations (int, optional): The number of rounds of the test.
            (default: :obj:`3`, the layers of :class:`~pyg_prosampler.GINEncoder`)

    Returns:
        torch.Tensor: The class of each graph, of shape :obj:`[N]`, numbered from 0 by
        first occurrence.

    Raises:
        ValueError: If the number of rounds is negative.

    Example:
        >>> from torch_geometric.data import Data
        >>> path = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> other = torch.tensor([[1, 0, 0, 2], [0, 1, 2, 0]])
        >>> edge = torch.tensor([[0, 1], [1, 0]])
        >>> graphs = [Data(edge_index=e, num_nodes=3) for e in (path, edge, other)]
        >>> twin_classes(graphs)
        tensor([0, 1, 0])
    """
    if num_iterations < 0:
        raise ValueError(
            f"`num_iterations` should not be negative (got {num_iterations})"
        )
    # It remembers the colors that it has given, so that these agree among batches.
    refine = WLConv()
    features: dict[tuple[float, ...], int] = {}
    graphs: dict[tuple[int, ...], int] = {}
    classes = []
    for batch in DataLoader(dataset, batch_size=128):
        if batch.x is None:
            colors = torch.zeros(batch.num_nodes, dtype=torch.long)
        else:
            rows, index = batch.x.view(batch.num_nodes, -1).unique(
                dim=0, return_inverse=True
            )
            keys = [features.setdefault(tuple(r), len(features)) for r in rows.tolist()]
            colors = torch.tensor(keys)[index]
        for _ in range(num_iterations):
            colors = refine(colors, batch.edge_index)
        sizes = batch.ptr.diff().tolist()
        for part in colors.split(sizes):
            key = tuple(sorted(part.tolist()))
            classes.append(graphs.setdefault(key, len(graphs)))
    return torch.tensor(classes)
