r"""MVGRL: contrasting the neighbourhood and the diffusion of every graph."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import Linear, Module, PReLU, Sequential
from torch_geometric.data import Batch
from torch_geometric.utils import degree

from pyg_prosampler.diffusion import diffusion_factors
from pyg_prosampler.models.gcn import GCNEncoder, normalized_adjacency, recomputed


class MVGRLViews(NamedTuple):
    r"""The vectors of both views: :obj:`1` is the adjacency, :obj:`2` the
    diffusion. Nodes are :math:`[N, d]`, graphs :math:`[B, d]`.
    """

    node1: Tensor
    node2: Tensor
    graph1: Tensor
    graph2: Tensor


class MVGRL(Module):
    r"""The framework of the `"Contrastive Multi-View Representation Learning on
    Graphs" <https://arxiv.org/abs/2006.05582>`_ paper.

    One :class:`GCNEncoder` propagates along the normalised adjacency, another
    one along the personalised PageRank diffusion of
    :class:`~pyg_prosampler.diffusion.PPRDiffusion`. Node vectors of the last
    layer pass one MLP, the sums of node vectors over each graph, of all layers
    side by side, pass another; both views share both. These MLPs are three
    times Linear-PReLU plus a linear shortcut.

    The objective of the paper, :meth:`~pyg_prosampler.losses.jsd`, scores the
    nodes of one view against the graphs of the other. Objectives between two
    sets of graph vectors, such as :meth:`~pyg_prosampler.losses.info_nce`, take
    :obj:`graph1` and :obj:`graph2`. In both, the negatives of a graph are the
    other graphs of its batch.

    **Embedding.** :meth:`embed` adds up :obj:`graph1` and :obj:`graph2`, *after*
    the shared MLP, as the paper and its public code do for evaluation. The
    proximity graph is to be built from the same vectors: all objectives score
    a graph by inner products of its vectors across views, and

    .. math::
        (\mathbf{g}_{1,i} + \mathbf{g}_{2,i})^{\top}
        (\mathbf{g}_{1,j} + \mathbf{g}_{2,j})

    holds both of these, :math:`\mathbf{g}_{1,i}^{\top} \mathbf{g}_{2,j}` and
    :math:`\mathbf{g}_{2,i}^{\top} \mathbf{g}_{1,j}`. Neighbours are therefore
    graphs that the model itself confuses, and a batch needs no further pass.

    The public code has three faults that are not copied: its convolutions are
    no registered modules, so that they are never trained, the mask of its
    padding belongs to other graphs, and its sums go over padding. Here, graphs
    are never padded.

    Args:
        in_channels (int): The number of node features. Graphs without
            :obj:`x` get their one-hot degree as features, which is never
            stored; pass the largest degree plus one. Larger degrees share the
            last channel. The same holds for integers :obj:`x` of shape
            :obj:`[num_nodes]`, which stand for one-hot features.
        hidden_channels (int, optional): The width :math:`d`. (default:
            :obj:`512`)
        num_layers (int, optional): The number of layers of either encoder; the
            paper chooses from :obj:`{2, 8, 12}`. (default: :obj:`2`)
        max_stored_nodes (int, optional): In batches with more nodes than this,
            only the inputs of layers are stored for the gradient, and the rest
            is computed again: less memory and more time for the same result.
            (default: :obj:`65536`)

    Example:
        >>> from torch_geometric.data import Data
        >>> from pyg_prosampler.diffusion import PPRDiffusion
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> data = PPRDiffusion()(Data(x=torch.ones(2, 7), edge_index=edge_index))
        >>> batch = Batch.from_data_list([data] * 4)
        >>> model = MVGRL(in_channels=7, hidden_channels=16)
        >>> [list(vectors.shape) for vectors in model(batch)]
        [[8, 16], [8, 16], [4, 16], [4, 16]]
        >>> model.embed(batch).shape
        torch.Size([4, 16])
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 512,
        num_layers: int = 2,
        max_stored_nodes: int = 65536,
    ) -> None:
        super().__init__()
        if max_stored_nodes < 1:
            raise ValueError(
                f"`max_stored_nodes` should be at least 1 (got {max_stored_nodes})"
            )
        self.in_channels = in_channels
        self.out_channels = hidden_channels
        self.max_stored_nodes = max_stored_nodes
        self.encoder1 = GCNEncoder(in_channels, hidden_channels, num_layers)
        self.encoder2 = GCNEncoder(in_channels, hidden_channels, num_layers)
        self.node_mlp = _MLP(hidden_channels, hidden_channels)
        self.graph_mlp = _MLP(num_layers * hidden_channels, hidden_channels)

    def forward(self, batch: Batch) -> MVGRLViews:
        r"""Returns the vectors of nodes and graphs in both views.

        Raises:
            ValueError: If graphs lack their diffusion, or if they have another
                number of node features than :obj:`in_channels`.
        """
        node1, node2, graph1, graph2 = self._encode(batch)
        return MVGRLViews(self._project(node1), self._project(node2), graph1, graph2)

    def contrast(
        self, batch: Batch, objective: Callable[..., Tensor], mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        r"""Returns the loss of a batch and its embeddings :math:`[B, d]`. The mask
        :math:`[B, B]` says which pairs of graphs the objective leaves out of the
        negatives.

        An objective with the attribute :obj:`needs_nodes = True` is called as
        :obj:`objective(node1, node2, graph1, graph2, batch.batch)`, any other
        as :obj:`objective(graph1, graph2)`.
        """
        options = {} if mask is None else {"mask": mask}
        if getattr(objective, "needs_nodes", False):
            views = self(batch)
            loss = objective(*views, batch.batch, **options)
        else:
            views = self._encode(batch)
            loss = objective(views.graph1, views.graph2, **options)
        return loss, (views.graph1 + views.graph2).detach()

    def embed(self, batch: Batch) -> Tensor:
        r"""Returns the embeddings :math:`[B, d]` that are evaluated and that
        proximity graphs are built from: the sum of both graph vectors.
        """
        views = self._encode(batch)
        return views.graph1 + views.graph2

    def _encode(self, batch: Batch) -> MVGRLViews:
        # Here, nodes have not passed their MLP yet, which embeddings need not.
        x = self._features(batch)
        recompute = batch.num_nodes > self.max_stored_nodes
        adjacency = normalized_adjacency(batch.edge_index, batch.num_nodes)
        nodes, graphs = [], []
        for encoder, factors in (
            (self.encoder1, (adjacency,)),
            (self.encoder2, diffusion_factors(batch)),
        ):
            node, pooled = encoder(
                x, factors, batch.batch, batch.num_graphs, recompute=recompute
            )
            nodes.append(node)
            graphs.append(self.graph_mlp(pooled))
        return MVGRLViews(*nodes, *graphs)

    def _project(self, node: Tensor) -> Tensor:
        if node.size(0) <= self.max_stored_nodes:
            return self.node_mlp(node)
        # In parts, since not all of them need to be computed again at once.
        parts = node.split(self.max_stored_nodes)
        return torch.cat([recomputed(self.node_mlp, part) for part in parts])

    def _features(self, batch: Batch) -> Tensor:
        x = batch.x
        if x is None:
            x = degree(batch.edge_index[0], batch.num_nodes, dtype=torch.long)
            return x.clamp(max=self.in_channels - 1)
        if x.dim() > 1 and x.size(-1) != self.in_channels:
            raise ValueError(
                f"graphs should have node features `x` with {self.in_channels} "
                f"channels (got {x.size(-1)}); pass in_channels={x.size(-1)}"
            )
        return x


class _MLP(Module):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.layers = Sequential(
            Linear(in_channels, out_channels),
            PReLU(),
            Linear(out_channels, out_channels),
            PReLU(),
            Linear(out_channels, out_channels),
            PReLU(),
        )
        self.shortcut = Linear(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x) + self.shortcut(x)
