r"""Batches as a run has drawn them, on embeddings that it has left."""

from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor
from torch_geometric.data import Data

from pyg_prosampler.build import build_loader
from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.policies import RandomWalkPolicy
from pyg_prosampler.sampler import ProSampler


def last_epoch(
    config: PretrainConfig, embeddings: Tensor, seed: int
) -> Iterator[list[int]]:
    r"""Draws the last epoch of a run."""
    config = replace(config, seed=seed, num_warmup_epochs=0, embedding_source="encoder")
    sampler = _sampler_of(config, embeddings)
    sampler.embeddings = lambda: embeddings
    sampler.set_epoch(config.num_epochs - 1)
    return iter(sampler)


def walk_policy(config: PretrainConfig, embeddings: Tensor) -> RandomWalkPolicy:
    r"""Returns the walk with the dials of a run, whatever its sampler was."""
    policy = _sampler_of(replace(config, sampler="prosampler"), embeddings).policy
    assert isinstance(policy, RandomWalkPolicy)
    return policy


def _sampler_of(config: PretrainConfig, embeddings: Tensor) -> ProSampler:
    # The loader asks for the number of graphs alone.
    stand_ins = [Data() for _ in range(embeddings.size(0))]
    return build_loader(config, stand_ins, lambda batch: embeddings).batch_sampler
