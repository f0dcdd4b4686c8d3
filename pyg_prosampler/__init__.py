r"""Hard batches for contrastive learning on graphs, for PyTorch Geometric."""

from pyg_prosampler.bank import EmbeddingBank
from pyg_prosampler.datasets import load_dataset
from pyg_prosampler.diffusion import PPRDiffusion, diffuse
from pyg_prosampler.encode import encode_dataset
from pyg_prosampler.evaluation import linear_evaluation
from pyg_prosampler.loader import ProSamplerLoader
from pyg_prosampler.losses import (
    JSD,
    DebiasedInfoNCE,
    HardInfoNCE,
    InfoNCE,
    UnReMix,
)
from pyg_prosampler.models import MVGRL, GCNEncoder, GINEncoder, GraphCL
from pyg_prosampler.proximity import knn_graph, proximity_graph
from pyg_prosampler.sampler import ProSampler
from pyg_prosampler.schedule import LinearDecay
from pyg_prosampler.twins import twin_classes
from pyg_prosampler.walk import random_walk_with_restart

__version__ = "0.1.0"

__all__ = [
    "JSD",
    "MVGRL",
    "DebiasedInfoNCE",
    "EmbeddingBank",
    "GCNEncoder",
    "GINEncoder",
    "GraphCL",
    "HardInfoNCE",
    "InfoNCE",
    "LinearDecay",
    "PPRDiffusion",
    "ProSampler",
    "ProSamplerLoader",
    "UnReMix",
    "diffuse",
    "encode_dataset",
    "knn_graph",
    "linear_evaluation",
    "load_dataset",
    "proximity_graph",
    "random_walk_with_restart",
    "twin_classes",
]
