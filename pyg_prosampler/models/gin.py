r"""The graph isomorphism network of GraphCL."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import BatchNorm1d, Linear, Module, ModuleList, ReLU, Sequential
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GINConv
from torch_geometric.nn.inits import zeros

from pyg_prosampler.models.aggregate import graph_sum, neighbor_sum


class GINEncoder(Module):
    r"""The encoder of the `"Graph Contrastive Learning with Augmentations"
    <https://arxiv.org/abs/2010.13902>`_ paper, built on the layers of `"How
    Powerful are Graph Neural Networks?" <https://arxiv.org/abs/1810.00826>`_

    .. math::
        x_v^{(l)} = \mathrm{BatchNorm}(\mathrm{ReLU}(\mathrm{MLP}^{(l)}(
        x_v^{(l-1)} + \sum_{u \in \mathcal{N}(v)} x_u^{(l-1)})))

    with MLPs of the form Linear-ReLU-Linear. A graph's embedding concatenates
    the sums of its node features over all layers. Weights are
    Xavier-uniform, biases zero.

    Args:
        in_channels (int): The number of node features.
        hidden_channels (int, optional): The width. (default: :obj:`32`)
        num_layers (int, optional): The number of layers. (default: :obj:`3`)

    Example:
        >>> encoder = GINEncoder(in_channels=7, hidden_channels=32, num_layers=3)
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> encoder.eval()(Data(x=torch.ones(2, 7), edge_index=edge_index)).shape
        torch.Size([1, 96])
    """

    def __init__(
        self, in_channels: int, hidden_channels: int = 32, num_layers: int = 3
    ) -> None:
        super().__init__()
        for name, value in (
            ("in_channels", in_channels),
            ("hidden_channels", hidden_channels),
            ("num_layers", num_layers),
        ):
            if value < 1:
                raise ValueError(f"`{name}` should be at least 1 (got {value})")
        self.in_channels = in_channels
        self.out_channels = num_layers * hidden_channels
        self.convs = ModuleList()
        self.norms = ModuleList()
        for layer in range(num_layers):
            mlp = Sequential(
                Linear(hidden_channels if layer else in_channels, hidden_channels),
                ReLU(inplace=True),
                Linear(hidden_channels, hidden_channels),
            )
            self.convs.append(GINConv(mlp, eps=0.0))
            self.norms.append(BatchNorm1d(hidden_channels))
        self.apply(xavier_uniform)

    def forward(self, data: Batch | Data) -> Tensor:
        r"""Maps a batch of :math:`B` graphs (or a single one) to their
        embeddings :math:`[B, L \cdot d]`.
        """
        x = data.x
        if x is None or x.size(-1) != self.in_channels:
            raise ValueError(
                f"graphs should have node features `x` with {self.in_channels} "
                f"channels (got {None if x is None else x.size(-1)}); data sets "
                f"without them need a choice such as the transform `T.Constant()`"
            )
        num_graphs = data.num_graphs if data.batch is not None else 1
        batch = data.batch
        if batch is None:
            batch = x.new_zeros(x.size(0), dtype=torch.long)
        pooled = []
        conv: Any
        for conv, norm in zip(self.convs, self.norms, strict=True):
            # This is conv(x, data.edge_index), without messages.
            x = neighbor_sum(x, data.edge_index).addcmul_(x, 1 + conv.eps)
            x = norm(conv.nn(x).relu_())
            pooled.append(graph_sum(x, batch, num_graphs))
        return torch.cat(pooled, dim=-1)


def xavier_uniform(module: Module) -> None:
    r"""Initialises a linear layer as the public code of GraphCL does."""
    if isinstance(module, Linear):
        torch.nn.init.xavier_uniform_(module.weight)
        zeros(module.bias)
