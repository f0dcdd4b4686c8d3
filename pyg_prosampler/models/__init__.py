r"""Encoders and frameworks."""

from pyg_prosampler.models.gin import GINEncoder
from pyg_prosampler.models.graphcl import GraphCL

__all__ = ["GINEncoder", "GraphCL"]
