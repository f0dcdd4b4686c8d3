"""The objectives as modules: options in the constructor, tensors in the call."""

from typing import Any

import torch
from torch import Tensor

from pyg_prosampler.losses.functional import (
    check_reweighting_options,
    debiased_info_nce,
    hard_info_nce,
    info_nce,
)
from pyg_prosampler.losses.jsd import jsd
from pyg_prosampler.losses.pairs import check_pair_options
from pyg_prosampler.losses.unremix import check_weights, unremix


class _PairObjective(torch.nn.Module):
    """Options that all graph-graph objectives share."""

    def __init__(
        self,
        temperature: float,
        negatives: str,
        positive_in_denominator: bool,
        two_sided: bool,
    ) -> None:
        super().__init__()
        check_pair_options(temperature, negatives)
        self.temperature = temperature
        self.negatives = negatives
        self.positive_in_denominator = positive_in_denominator
        self.two_sided = two_sided

    def options(self) -> dict[str, Any]:
        """The keyword arguments of the functional form."""
        return {
            "temperature": self.temperature,
            "negatives": self.negatives,
            "positive_in_denominator": self.positive_in_denominator,
            "two_sided": self.two_sided,
        }

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.options().items())


class InfoNCE(_PairObjective):
    r"""The InfoNCE objective, see
    :func:`~pyg_prosampler.losses.info_nce` for formula and shapes.

    Args:
        temperature (float, optional): Divides the cosines.
            (default: :obj:`0.2`)
        negatives (str, optional): :obj:`"cross"` for the other view's vectors
            of the other graphs, :obj:`"both"` for both views'.
            (default: :obj:`"cross"`)
        positive_in_denominator (bool, optional): If set to :obj:`False`, the
            denominator holds the negatives only. (default: :obj:`True`)
        two_sided (bool, optional): If set to :obj:`False`, only vectors of
            the first view are anchors. (default: :obj:`True`)

    Raises:
        ValueError: If an option is out of its range.

    Example:
        >>> z1, z2 = torch.randn(8, 32), torch.randn(8, 32)
        >>> simclr = InfoNCE(temperature=0.5, negatives="both")
        >>> published_graphcl = InfoNCE(
        ...     temperature=0.2, positive_in_denominator=False, two_sided=False
        ... )
        >>> simclr(z1, z2).shape
        torch.Size([])
    """

    def __init__(
        self,
        temperature: float = 0.2,
        negatives: str = "cross",
        positive_in_denominator: bool = True,
        two_sided: bool = True,
    ) -> None:
        super().__init__(temperature, negatives, positive_in_denominator, two_sided)

    def forward(self, z1: Tensor, z2: Tensor, mask: Tensor | None = None) -> Tensor:
        """Computes the loss of two views :obj:`[batch_size, embedding_size]`."""
        return info_nce(z1, z2, mask, **self.options())


class DebiasedInfoNCE(_PairObjective):
    r"""The debiased objective (DCL), see
    :func:`~pyg_prosampler.losses.debiased_info_nce` for formula and shapes.

    Args:
        temperature (float, optional): Divides the cosines.
            (default: :obj:`0.5`)
        tau (float, optional): Expected share in :math:`[0, 1)` of false
            negatives. (default: :obj:`0.1`)
        negatives, positive_in_denominator, two_sided: As in :class:`InfoNCE`.

    Raises:
        ValueError: If an option is out of its range.

    Example:
        >>> objective = DebiasedInfoNCE(tau=0.1)
        >>> objective(torch.randn(8, 32), torch.randn(8, 32)).shape
        torch.Size([])
    """

    def __init__(
        self,
        temperature: float = 0.5,
        tau: float = 0.1,
        negatives: str = "cross",
        positive_in_denominator: bool = True,
        two_sided: bool = True,
    ) -> None:
        super().__init__(temperature, negatives, positive_in_denominator, two_sided)
        check_reweighting_options(tau)
        self.tau = tau

    def options(self) -> dict[str, Any]:
        return super().options() | {"tau": self.tau}

    def forward(self, z1: Tensor, z2: Tensor, mask: Tensor | None = None) -> Tensor:
        """Computes the loss of two views :obj:`[batch_size, embedding_size]`."""
        return debiased_info_nce(z1, z2, mask, **self.options())


class HardInfoNCE(_PairObjective):
    r"""The hard-negative objective (HCL), see
    :func:`~pyg_prosampler.losses.hard_info_nce` for formula and shapes.

    Args:
        temperature (float, optional): Divides the cosines.
            (default: :obj:`0.5`)
        tau (float, optional): Expected share in :math:`[0, 1)` of false
            negatives. (default: :obj:`0.1`)
        beta (float, optional): Concentration on the hard negatives, at least
            0. (default: :obj:`1.0`)
        negatives, positive_in_denominator, two_sided: As in :class:`InfoNCE`.

    Raises:
        ValueError: If an option is out of its range.

    Example:
        >>> objective = HardInfoNCE(beta=0.5)
        >>> objective(torch.randn(8, 32), torch.randn(8, 32)).shape
        torch.Size([])
    """

    def __init__(
        self,
        temperature: float = 0.5,
        tau: float = 0.1,
        beta: float = 1.0,
        negatives: str = "cross",
        positive_in_denominator: bool = True,
        two_sided: bool = True,
    ) -> None:
        super().__init__(temperature, negatives, positive_in_denominator, two_sided)
        check_reweighting_options(tau, beta)
        self.tau = tau
        self.beta = beta

    def options(self) -> dict[str, Any]:
        return super().options() | {"tau": self.tau, "beta": self.beta}

    def forward(self, z1: Tensor, z2: Tensor, mask: Tensor | None = None) -> Tensor:
        """Computes the loss of two views :obj:`[batch_size, embedding_size]`."""
        return hard_info_nce(z1, z2, mask, **self.options())


class UnReMix(_PairObjective):
    r"""A re-derivation of the UnReMix objective, see
    :func:`~pyg_prosampler.losses.unremix` for formula and shapes.

    Args:
        temperature (float, optional): Divides the cosines.
            (default: :obj:`0.5`)
        weights (tuple, optional): Shares of similarity, uncertainty and
            representativeness, non-negative with sum 1.
            (default: :obj:`(1/3, 1/3, 1/3)`)
        negatives, positive_in_denominator, two_sided: As in :class:`InfoNCE`.

    Raises:
        ValueError: If an option is out of its range.

    Example:
        >>> objective = UnReMix(weights=(0.5, 0.25, 0.25))
        >>> objective(torch.randn(8, 32), torch.randn(8, 32)).shape
        torch.Size([])
    """

    def __init__(
        self,
        temperature: float = 0.5,
        weights: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3),
        negatives: str = "cross",
        positive_in_denominator: bool = True,
        two_sided: bool = True,
    ) -> None:
        super().__init__(temperature, negatives, positive_in_denominator, two_sided)
        check_weights(weights)
        self.weights = weights

    def options(self) -> dict[str, Any]:
        return super().options() | {"weights": self.weights}

    def forward(self, z1: Tensor, z2: Tensor, mask: Tensor | None = None) -> Tensor:
        """Computes the loss of two views :obj:`[batch_size, embedding_size]`."""
        return unremix(z1, z2, mask, **self.options())


class JSD(torch.nn.Module):
    r"""The local-global Jensen-Shannon objective between nodes and graphs,
    see :func:`~pyg_prosampler.losses.jsd` for formula and shapes. It has no
    options.

    Example:
        >>> node1, node2 = torch.randn(5, 8), torch.randn(5, 8)
        >>> graph1, graph2 = torch.randn(2, 8), torch.randn(2, 8)
        >>> batch = torch.tensor([0, 0, 1, 1, 1])
        >>> JSD()(node1, node2, graph1, graph2, batch).shape
        torch.Size([])
    """

    needs_nodes = True  # Tells frameworks to hand over node vectors, too.

    def forward(
        self,
        node1: Tensor,
        node2: Tensor,
        graph1: Tensor,
        graph2: Tensor,
        batch: Tensor,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Computes the loss of node and graph vectors of two views."""
        return jsd(node1, node2, graph1, graph2, batch, mask)
