r"""Contrastive objectives, as functions and as modules."""

from pyg_prosampler.losses.functional import (
    debiased_info_nce,
    hard_info_nce,
    info_nce,
)
from pyg_prosampler.losses.jsd import jsd
from pyg_prosampler.losses.modules import (
    JSD,
    DebiasedInfoNCE,
    HardInfoNCE,
    InfoNCE,
    UnReMix,
)
from pyg_prosampler.losses.pairs import same_label_mask
from pyg_prosampler.losses.unremix import unremix

__all__ = [
    "JSD",
    "DebiasedInfoNCE",
    "HardInfoNCE",
    "InfoNCE",
    "UnReMix",
    "debiased_info_nce",
    "hard_info_nce",
    "info_nce",
    "jsd",
    "same_label_mask",
    "unremix",
]
