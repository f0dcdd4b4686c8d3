r"""One augmentation of several, drawn for each graph."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch_geometric.data import Data

from pyg_prosampler.transforms.attribute_masking import AttributeMasking
from pyg_prosampler.transforms.augmentation import Augmentation, Change
from pyg_prosampler.transforms.edge_perturbation import EdgePerturbation
from pyg_prosampler.transforms.layout import Layout
from pyg_prosampler.transforms.node_dropping import NodeDropping
from pyg_prosampler.transforms.selection import integers_below
from pyg_prosampler.transforms.subgraph import Subgraph


class RandomAugmentation(Augmentation):
    r"""Applies one of several augmentations to each graph, drawn uniformly and
    independently for every graph of a batch.

    Args:
        augmentations (Sequence[Augmentation]): What to choose from, each with
            its own :obj:`generator`.
        generator (torch.Generator, optional): The source of randomness of the
            choice. (default: :obj:`None`, the global one)

    Raises:
        ValueError: If there is nothing to choose from.
        TypeError: If something else than an :class:`Augmentation` is given.

    Example:
        >>> RandomAugmentation([NodeDropping(p=0.2), Subgraph(ratio=0.5)])
        RandomAugmentation([
          NodeDropping(p=0.2),
          Subgraph(ratio=0.5, published=False),
        ])
    """

    def __init__(
        self, augmentations: Sequence[Augmentation], generator: Generator | None = None
    ) -> None:
        super().__init__(generator)
        self.augmentations = list(augmentations)
        if not self.augmentations:
            raise ValueError(
                "`augmentations` should not be empty; pass [NodeDropping()], say"
            )
        for augmentation in self.augmentations:
            if not isinstance(augmentation, Augmentation):
                raise TypeError(
                    f"`augmentations` should hold instances of `Augmentation` (got "
                    f"{augmentation!r}); derive from it to change single graphs of "
                    f"a batch"
                )

    def change(
        self, data: Data, layout: Layout, chosen: Tensor | None = None
    ) -> Change:
        # No two parts touch the same graph, so that their masks just add up.
        bound = torch.full_like(layout.sizes, len(self.augmentations))
        choice = integers_below(bound, self.generator)
        masks: list[Tensor | None] = [None, None]
        for number, augmentation in enumerate(self.augmentations):
            mine = choice == number
            if chosen is not None:
                mine &= chosen
            data, *changes = augmentation.change(data, layout, mine)
            masks = [
                a if b is None else b if a is None else a & b
                for a, b in zip(masks, changes, strict=True)
            ]
        return data, masks[0], masks[1]

    def __repr__(self) -> str:
        inside = "".join(f"  {part!r},\n" for part in self.augmentations)
        return f"{self.__class__.__name__}([\n{inside}])"


def random2(
    published: bool = False, generator: Generator | None = None
) -> RandomAugmentation:
    r"""GraphCL's choice of node dropping or a subgraph for each graph.

    Args:
        published (bool, optional): If :obj:`True`, takes the subgraphs and edge
            perturbations of the paper's public code, see :class:`Subgraph`;
            its edge perturbation removes single directions of edges and adds
            none. (default: :obj:`False`)
        generator (torch.Generator, optional): The source of all randomness.
            (default: :obj:`None`, the global one)

    Example:
        >>> random2()
        RandomAugmentation([
          NodeDropping(p=0.1),
          Subgraph(ratio=0.8, published=False),
        ])
    """
    return RandomAugmentation(_parts(published, generator)[:2], generator)


def random3(
    published: bool = False, generator: Generator | None = None
) -> RandomAugmentation:
    r"""As :func:`random2`, or edge perturbation."""
    return RandomAugmentation(_parts(published, generator)[:3], generator)


def random4(
    published: bool = False, generator: Generator | None = None
) -> RandomAugmentation:
    r"""As :func:`random3`, or attribute masking."""
    return RandomAugmentation(_parts(published, generator), generator)


def _parts(published: bool, generator: Generator | None) -> list[Augmentation]:
    if published:
        edges = EdgePerturbation(add=False, is_undirected=False, generator=generator)
    else:
        edges = EdgePerturbation(generator=generator)
    return [
        NodeDropping(generator=generator),
        Subgraph(published=published, generator=generator),
        edges,
        AttributeMasking(generator=generator),
    ]
