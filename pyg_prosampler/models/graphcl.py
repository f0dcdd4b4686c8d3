r"""GraphCL: contrasting two augmented views of every graph."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn import Linear, Module, ReLU, Sequential
from torch_geometric.data import Batch
from torch_geometric.transforms import BaseTransform

from pyg_prosampler.models.gin import xavier_uniform
from pyg_prosampler.transforms import random2


class GraphCL(Module):
    r"""The framework of the `"Graph Contrastive Learning with Augmentations"
    <https://arxiv.org/abs/2010.13902>`_ paper: two random views of every graph
    pass the same encoder and a projection head Linear-ReLU-Linear.

    Args:
        encoder (torch.nn.Module): Maps a batch to graph embeddings
            :math:`[B, d]`. This is what is kept after pre-training.
        embedding_dim (int, optional): The width :math:`d`. (default:
            :obj:`None`, :obj:`encoder.out_channels`)
        augmentations (tuple, optional): The transforms, of whole batches, that
            make the two views. (default: :obj:`None`, node dropping or a
            subgraph at random for either)
        transform (Callable, optional): What is done to batches that are embedded
            without augmentation. (default: :obj:`None`, nothing)

    Example:
        >>> import torch
        >>> from torch_geometric.data import Batch, Data
        >>> from pyg_prosampler import GINEncoder
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> graphs = [Data(x=torch.ones(2, 1), edge_index=edge_index)] * 4
        >>> model = GraphCL(GINEncoder(in_channels=1))
        >>> z1, z2 = model(Batch.from_data_list(graphs))
        >>> z1.shape, z2.shape
        (torch.Size([4, 96]), torch.Size([4, 96]))
    """

    def __init__(
        self,
        encoder: Module,
        embedding_dim: int | None = None,
        augmentations: tuple[BaseTransform, BaseTransform] | None = None,
        transform: Callable[[Batch], Batch] | None = None,
    ) -> None:
        super().__init__()
        channels: Any = embedding_dim or encoder.out_channels
        self.encoder = encoder
        self.projection_head = Sequential(
            Linear(channels, channels), ReLU(), Linear(channels, channels)
        )
        self.projection_head.apply(xavier_uniform)
        self.augmentations = augmentations or (random2(), random2())
        self.transform = transform

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        r"""Returns the projections :math:`[B, d]` of both views."""
        z1, z2 = (
            self.projection_head(self.encoder(augment(batch)))
            for augment in self.augmentations
        )
        return z1, z2

    def contrast(
        self, batch: Batch, objective: Callable[..., Tensor], mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        r"""Returns the loss of a batch and the embeddings :math:`[B, d]` of its
        first view, before the projection head. The mask :math:`[B, B]` says which
        pairs of graphs the objective leaves out of the negatives.
        """
        h1, h2 = (self.encoder(augment(batch)) for augment in self.augmentations)
        options = {} if mask is None else {"mask": mask}
        z1, z2 = self.projection_head(h1), self.projection_head(h2)
        loss = objective(z1, z2, **options)
        return loss, h1.detach()

    def embed(self, batch: Batch) -> Tensor:
        r"""Returns the embeddings :math:`[B, d]` that are evaluated: the
        encoder's output, without augmentation.
        """
        return self.encoder(self.transform(batch) if self.transform else batch)

    def project(self, batch: Batch) -> Tensor:
        r"""Returns the projections :math:`[B, d]` of the embeddings, which the
        objective compares.
        """
        return self.projection_head(self.embed(batch))
