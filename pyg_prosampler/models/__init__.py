r"""Encoders and frameworks."""

from pyg_prosampler.models.gcn import GCNEncoder
from pyg_prosampler.models.gin import GINEncoder
from pyg_prosampler.models.graphcl import GraphCL
from pyg_prosampler.models.molecule import MoleculeEncoder
from pyg_prosampler.models.mvgrl import MVGRL

__all__ = ["MVGRL", "GCNEncoder", "GINEncoder", "GraphCL", "MoleculeEncoder"]
