r"""A graph isomorphism network for molecules of the Open Graph Benchmark."""

import torch
from torch import Tensor
from torch.nn import BatchNorm1d, Linear, Module, ModuleList, ReLU, Sequential
from torch_geometric.data import Batch
from torch_geometric.nn import GINEConv, global_add_pool

from pyg_prosampler.models.gin import xavier_uniform


class MoleculeEncoder(Module):
    r"""The encoder of :class:`GINEncoder` with the atom and bond encoders of
    :obj:`ogb`, bonds entering messages as in `"Strategies for Pre-training Graph
    Neural Networks" <https://arxiv.org/abs/1905.12265>`_

    .. math::
        x_v^{(l)} = \mathrm{BatchNorm}(\mathrm{ReLU}(\mathrm{MLP}^{(l)}(
        x_v^{(l-1)} + \sum_{u \in \mathcal{N}(v)} \mathrm{ReLU}(x_u^{(l-1)} +
        e_{uv}^{(l)}))))

    A graph's embedding concatenates the sums of its node features over all layers.

    Args:
        hidden_channels (int, optional): The width. (default: :obj:`32`)
        num_layers (int, optional): The number of layers. (default: :obj:`3`)

    Raises:
        ImportError: If :obj:`ogb` is not installed.
    """

    def __init__(self, hidden_channels: int = 32, num_layers: int = 3) -> None:
        super().__init__()
        from ogb.graphproppred.mol_encoder import AtomEncoder, BondEncoder

        self.out_channels = num_layers * hidden_channels
        self.atom_encoder = AtomEncoder(hidden_channels)
        self.bond_encoders = ModuleList()
        self.convs = ModuleList()
        self.norms = ModuleList()
        for _ in range(num_layers):
            mlp = Sequential(
                Linear(hidden_channels, hidden_channels),
                ReLU(),
                Linear(hidden_channels, hidden_channels),
            )
            self.bond_encoders.append(BondEncoder(hidden_channels))
            self.convs.append(GINEConv(mlp, eps=0.0))
            self.norms.append(BatchNorm1d(hidden_channels))
        self.convs.apply(xavier_uniform)

    def forward(self, batch: Batch) -> Tensor:
        r"""Maps a batch of :math:`B` molecules to their embeddings
        :math:`[B, L \cdot d]`.
        """
        x = self.atom_encoder(batch.x)
        pooled = []
        for encode_bonds, conv, norm in zip(
            self.bond_encoders, self.convs, self.norms, strict=True
        ):
            bonds = encode_bonds(batch.edge_attr)
            x = norm(conv(x, batch.edge_index, bonds).relu())
            pooled.append(global_add_pool(x, batch.batch, batch.num_graphs))
        return torch.cat(pooled, dim=-1)
