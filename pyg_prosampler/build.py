r"""From a configuration to data set, framework, objective and loader."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch_geometric.data import InMemoryDataset
from torch_geometric.transforms import AddSelfLoops

from pyg_prosampler.config import PretrainConfig, parse_restart_prob
from pyg_prosampler.datasets import load_dataset, max_degree
from pyg_prosampler.dials import default_dials
from pyg_prosampler.diffusion import diffuse
from pyg_prosampler.evaluation import check_evaluation
from pyg_prosampler.loader import ProSamplerLoader
from pyg_prosampler.losses import (
    JSD,
    DebiasedInfoNCE,
    HardInfoNCE,
    InfoNCE,
    UnReMix,
)
from pyg_prosampler.models import MVGRL, GINEncoder, GraphCL, MoleculeEncoder
from pyg_prosampler.ogb import check_scaffold_evaluation, is_ogb
from pyg_prosampler.policies import (
    B3Policy,
    BatchPolicy,
    GCBSPolicy,
    KNNPolicy,
    NGAMEPolicy,
    RandomWalkPolicy,
    UniformPolicy,
)
from pyg_prosampler.transforms import random2, random3, random4

_AUGMENTATIONS = {"random2": random2, "random3": random3, "random4": random4}


def load_for(config: PretrainConfig) -> InMemoryDataset:
    r"""Loads the data set of a configuration and checks that both fit, before
    anything that takes long.
    """
    # MVGRL makes degrees one-hot by itself, without storing them.
    own = config.framework == "mvgrl" and config.node_features == "degree"
    dataset = load_dataset(
        config.dataset,
        config.root,
        mirror=config.mirror,
        node_features=None if own else config.node_features,
    )
    if not 2 <= config.batch_size <= len(dataset):
        raise ValueError(
            f"`batch_size` should be between 2 and {len(dataset)}, the number of "
            f"graphs in {config.dataset} (got {config.batch_size})"
        )
    if config.protocol == "ogb":
        check_scaffold_evaluation(dataset)
    else:
        check_evaluation(
            torch.zeros(len(dataset), 1),
            labels_of(dataset),
            protocol=config.protocol,
            num_folds=config.num_folds,
        )
    build_objective(config)
    build_loader(config, dataset, lambda batch: batch.y)
    if config.framework == "mvgrl":
        dataset = diffuse(dataset)
    return dataset


def labels_of(dataset: InMemoryDataset) -> Tensor | None:
    r"""The class labels :math:`[N]` of a data set, if it has any."""
    if len(dataset) == 0 or dataset[0].y is None:
        return None
    return torch.cat([data.y.view(-1) for data in dataset])


def build_framework(config: PretrainConfig, dataset: InMemoryDataset) -> Any:
    r"""Builds the model; its weights depend on the seed alone."""
    torch.manual_seed(config.seed)
    sizes = config.hidden_channels, config.num_layers
    if config.framework == "mvgrl":
        in_channels = dataset.num_node_features or max_degree(dataset) + 1
        return MVGRL(in_channels, *sizes).to(config.device)
    augment = _AUGMENTATIONS[config.augmentation]
    encoder = (
        MoleculeEncoder(*sizes)
        if is_ogb(config.dataset)
        else GINEncoder(dataset.num_node_features, *sizes)
    )
    if config.published:
        # The original graph has self-loops, the augmented one has none.
        original = AddSelfLoops()
        views = original, augment(published=True)
        framework = GraphCL(encoder, augmentations=views, transform=original)
    else:
        framework = GraphCL(encoder, augmentations=(augment(), augment()))
    return framework.to(config.device)


def build_objective(config: PretrainConfig) -> Module:
    r"""Builds the contrastive objective."""
    options: dict[str, Any] = {
        "temperature": config.temperature,
        "negatives": config.negatives,
    }
    if config.objective == "jsd":
        return JSD()
    if config.objective == "dcl":
        return DebiasedInfoNCE(**options, tau=config.tau)
    if config.objective == "hcl":
        return HardInfoNCE(**options, tau=config.tau, beta=config.beta)
    if config.objective == "unremix":
        return UnReMix(**options)
    return InfoNCE(
        **options,
        positive_in_denominator=not config.published,
        two_sided=not config.published,
    )


def build_loader(
    config: PretrainConfig,
    dataset: InMemoryDataset,
    encoder: Callable[..., Tensor],
) -> ProSamplerLoader:
    r"""Builds the loader. All samplers are policies of the same loader, so that
    runs differ in their batches alone.
    """
    coverage = {"unseen-start": "unseen_start", "independent": "independent"}
    # The kNN sampler draws its batches independently.
    coverage["knn"] = "independent"
    return ProSamplerLoader(
        dataset,
        config.batch_size,
        encoder=encoder,
        embedding_source="bank" if config.embedding_source == "bank" else "encoder",
        recompute_norms=config.recompute_norms,
        policy=build_policy(config, len(dataset)),
        coverage=coverage.get(config.sampler, "partition"),
        refresh_every=config.refresh_every,
        num_warmup_epochs=config.num_warmup_epochs,
        seed=config.seed,
    )


def build_policy(config: PretrainConfig, num_graphs: int) -> BatchPolicy:
    r"""Builds the batch policy of a sampler by name."""
    num_candidates, num_neighbors = default_dials(
        num_graphs, config.num_candidates, config.num_neighbors
    )
    if config.sampler == "uniform":
        return UniformPolicy()
    if config.sampler == "knn":
        return KNNPolicy()
    if config.sampler == "gcbs":
        return GCBSPolicy()
    if config.sampler == "ngame":
        return NGAMEPolicy()
    if config.sampler == "b3":
        # Clusters of medium size, which its paper finds best.
        return B3Policy(
            num_skipped=max(1, num_graphs // 100),
            num_neighbors=num_neighbors,
            cluster_size=max(1, config.batch_size // 4),
        )
    return RandomWalkPolicy(
        num_candidates,
        num_neighbors,
        restart_prob=parse_restart_prob(config.restart_prob, config.num_epochs),
        max_steps=config.max_steps,
        backend=config.backend,
        num_starts=config.num_starts if config.sampler == "multi-start" else 1,
        candidates=config.candidates,
    )
