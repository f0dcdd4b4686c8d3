r"""Replacing node features by noise."""

import copy

from torch import Generator, Tensor
from torch_geometric.data import Data

from pyg_prosampler.transforms.augmentation import Augmentation, Change
from pyg_prosampler.transforms.layout import Layout
from pyg_prosampler.transforms.selection import (
    check_share,
    randn,
    sample_per_graph,
    share_of,
)


class AttributeMasking(Augmentation):
    r"""Replaces the features of :math:`\lfloor p \cdot n \rfloor` of the
    :math:`n` nodes of each graph, drawn uniformly, by Gaussian noise

    .. math::
        x_v \sim \mathcal{N}(\mu, \sigma^2 I).

    From the `"Graph Contrastive Learning with Augmentations"
    <https://arxiv.org/abs/2010.13902>`_ paper.

    Args:
        p (float, optional): The share of nodes to mask. (default: :obj:`0.1`)
        mean (float, optional): The mean :math:`\mu`. (default: :obj:`0.5`)
        std (float, optional): The standard deviation :math:`\sigma`. (default:
            :obj:`0.5`)
        generator (torch.Generator, optional): The source of randomness.
            (default: :obj:`None`, the global one)

    Raises:
        ValueError: If :obj:`p` lies outside :math:`[0, 1]`, :obj:`std` is
            negative, or the graphs have no floating-point features :obj:`x`.

    Example:
        >>> import torch
        >>> data = Data(x=torch.ones(10, 3))
        >>> view = AttributeMasking(p=0.3)(data)
        >>> int((view.x != 1).any(dim=1).sum())
        3
    """

    def __init__(
        self,
        p: float = 0.1,
        mean: float = 0.5,
        std: float = 0.5,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(generator)
        self.p = check_share("p", p)
        if not std >= 0:
            raise ValueError(
                f"`std` should not be negative (got {std}); the paper has std=0.5"
            )
        self.mean = mean
        self.std = std

    def change(
        self, data: Data, layout: Layout, chosen: Tensor | None = None
    ) -> Change:
        if data.x is None or not data.x.is_floating_point():
            found = "none" if data.x is None else data.x.dtype
            raise ValueError(
                f"`AttributeMasking` needs floating-point node features `x` (got "
                f"{found}); add some, by the transform `Constant()` say, or convert "
                f"them by `x.float()`"
            )
        count = share_of(self.p, layout.sizes)
        if chosen is not None:
            count = count * chosen
        masked = sample_per_graph(layout.batch, count, self.generator)
        noise = randn((masked.numel(), *data.x.shape[1:]), data.x, self.generator)
        out = copy.copy(data)
        out.x = data.x.index_copy(0, masked, self.mean + self.std * noise)
        return out, None, None
