r"""Augmentations that act on a graph or on a whole batch of graphs at once."""

from pyg_prosampler.transforms.attribute_masking import AttributeMasking
from pyg_prosampler.transforms.augmentation import Augmentation, Identity
from pyg_prosampler.transforms.edge_perturbation import EdgePerturbation
from pyg_prosampler.transforms.node_dropping import NodeDropping
from pyg_prosampler.transforms.random_augmentation import (
    RandomAugmentation,
    random2,
    random3,
    random4,
)
from pyg_prosampler.transforms.subgraph import Subgraph

__all__ = [
    "AttributeMasking",
    "Augmentation",
    "EdgePerturbation",
    "Identity",
    "NodeDropping",
    "RandomAugmentation",
    "Subgraph",
    "random2",
    "random3",
    "random4",
]
