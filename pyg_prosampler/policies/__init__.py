r"""Batch policies: which instances share a batch.

A policy is small and has no state: :meth:`~BatchPolicy.prepare` makes of the
current embeddings what the policy needs, and :meth:`~BatchPolicy.batches` draws
batches from it. Epochs, refreshes, warm-up, coverage and filling up belong to
:class:`~pyg_prosampler.ProSampler`, once for all policies.

Policies are of two kinds. *Drawn one by one*: every batch begins at a start that
is drawn at random, and :obj:`coverage` decides who may be in it
(:class:`RandomWalkPolicy`, :class:`KNNPolicy`). *Cut all at once*: an epoch is a
partition of the data set whatever :obj:`coverage` says, since the policy itself
divides everybody into batches, and deals them in random order; but other coverages fill
up the last, smaller batch
(:class:`UniformPolicy`, :class:`GCBSPolicy`, :class:`NGAMEPolicy`,
:class:`B3Policy`).
"""

from pyg_prosampler.policies.b3 import B3Policy
from pyg_prosampler.policies.base import BatchPolicy
from pyg_prosampler.policies.function import BatchFunction, FunctionPolicy
from pyg_prosampler.policies.gcbs import GCBSPolicy
from pyg_prosampler.policies.knn import KNNPolicy
from pyg_prosampler.policies.ngame import NGAMEPolicy
from pyg_prosampler.policies.random_walk import RandomWalkPolicy
from pyg_prosampler.policies.uniform import UniformPolicy

__all__ = [
    "B3Policy",
    "BatchFunction",
    "BatchPolicy",
    "FunctionPolicy",
    "GCBSPolicy",
    "KNNPolicy",
    "NGAMEPolicy",
    "RandomWalkPolicy",
    "UniformPolicy",
]
