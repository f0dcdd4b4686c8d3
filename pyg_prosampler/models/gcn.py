r"""The graph convolutional network of MVGRL."""

from collections.abc import Callable, Iterable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Linear, Module, ModuleList, PReLU
from torch.utils.checkpoint import checkpoint
from torch_geometric.nn.conv.gcn_conv import gcn_norm

from pyg_prosampler.diffusion import sparse_matrix
from pyg_prosampler.models.aggregate import RowSum, graph_sum
from pyg_prosampler.models.gin import xavier_uniform

Product = Callable[[Tensor], Tensor]

# Nothing that is computed again here draws random numbers.
recomputed = partial(checkpoint, use_reentrant=False, preserve_rng_state=False)


def normalized_adjacency(edge_index: Tensor, num_nodes: int) -> Tensor:
    r"""Returns the matrix :math:`\mathbf{D}^{-1/2} (\mathbf{A} + \mathbf{I})
    \mathbf{D}^{-1/2}` as a sparse tensor, with the targets of edges in rows and
    their sources in columns.

    Example:
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> normalized_adjacency(edge_index, num_nodes=3).to_dense()
        tensor([[0.5000, 0.5000, 0.0000],
                [0.5000, 0.5000, 0.0000],
                [0.0000, 0.0000, 1.0000]])
    """
    edge_index, weight = gcn_norm(edge_index, num_nodes=num_nodes)
    return sparse_matrix(edge_index.flip(0), weight, num_nodes)


class GCNEncoder(Module):
    r"""The graph convolutional network of `"Semi-Supervised Classification with
    Graph Convolutional Networks" <https://arxiv.org/abs/1609.02907>`_ with any
    propagation matrix :math:`\mathbf{P}`, as `"Contrastive Multi-View
    Representation Learning on Graphs" <https://arxiv.org/abs/2006.05582>`_
    (MVGRL) uses it

    .. math::
        \mathbf{H}^{(l)} = \mathrm{PReLU}(\mathbf{P} \mathbf{H}^{(l-1)}
        \mathbf{W}^{(l)} + \mathbf{b}^{(l)}).

    The matrix is given as sparse factors, and no message of an edge is ever
    stored: memory grows with nodes and with edges, but not with their product
    with channels. Weights are Xavier-uniform, biases zero.

    Args:
        in_channels (int): The number of node features.
        hidden_channels (int, optional): The width. (default: :obj:`512`)
        num_layers (int, optional): The number of layers. (default: :obj:`2`)

    Example:
        >>> encoder = GCNEncoder(in_channels=7, hidden_channels=16, num_layers=2)
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> factors = [normalized_adjacency(edge_index, num_nodes=3)]
        >>> batch = torch.tensor([0, 0, 1])
        >>> nodes, graphs = encoder(torch.ones(3, 7), factors, batch, num_graphs=2)
        >>> nodes.shape, graphs.shape
        (torch.Size([3, 16]), torch.Size([2, 32]))
    """

    def __init__(
        self, in_channels: int, hidden_channels: int = 512, num_layers: int = 2
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
        widths = [in_channels] + num_layers * [hidden_channels]
        self.layers = ModuleList(map(_Layer, widths[:-1], widths[1:]))
        self.apply(xavier_uniform)

    def forward(
        self,
        x: Tensor,
        factors: Iterable[Tensor],
        batch: Tensor,
        num_graphs: int,
        *,
        recompute: bool = False,
    ) -> tuple[Tensor, Tensor]:
        r"""Encodes nodes and graphs.

        Args:
            x (torch.Tensor): Node features :math:`[N, F]`, or integers
                :math:`[N]` below :math:`F` that stand for one-hot features.
            factors (Iterable[torch.Tensor]): Sparse matrices :math:`[N, N]`, of
                which the first is applied first; their product is
                :math:`\mathbf{P}`.
            batch (torch.Tensor): The graph of each node :math:`[N]`.
            num_graphs (int): The number of graphs :math:`B`.
            recompute (bool, optional): Whether to keep the input of each layer
                only, and compute the rest again when gradients are, for less
                memory and more time. (default: :obj:`False`)

        Returns:
            tuple: Node vectors of the last layer :math:`[N, d]`, and the sums
            of node vectors over each graph, of all layers side by side
            :math:`[B, L \cdot d]`.
        """
        products = [_product(factor) for factor in factors]
        pooled = []
        for layer in self.layers:
            x = recomputed(layer, x, products) if recompute else layer(x, products)
            pooled.append(graph_sum(x, batch, num_graphs))
        return x, torch.cat(pooled, dim=-1)


class _Layer(Module):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.linear = Linear(in_channels, out_channels)
        self.activation = PReLU()

    def forward(self, x: Tensor, products: list[Product]) -> Tensor:
        linear = self.linear
        # Propagates at the smaller of the two widths.
        if x.dim() == 1:
            x = _propagate(F.embedding(x, linear.weight.t()), products) + linear.bias
        elif linear.in_features <= linear.out_features:
            x = linear(_propagate(x, products))
        else:
            x = _propagate(F.linear(x, linear.weight), products) + linear.bias
        return self.activation(x)


def _product(matrix: Tensor) -> Product:
    # Several times faster than torch.sparse.mm, and entries need no order.
    matrix = matrix.to_sparse_coo()
    target, source = matrix._indices()
    row_sum = RowSum(source, target, matrix.size(1), matrix.size(0))
    return partial(row_sum, weight=matrix._values())


def _propagate(x: Tensor, products: list[Product]) -> Tensor:
    for product in products:
        x = product(x)
    return x
