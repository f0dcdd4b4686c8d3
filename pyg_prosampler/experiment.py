r"""From a frozen configuration to a finished run folder."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import InMemoryDataset

from pyg_prosampler.datasets import load_dataset
from pyg_prosampler.encode import encode_dataset
from pyg_prosampler.evaluation import check_evaluation, linear_evaluation
from pyg_prosampler.loader import ProSamplerLoader
from pyg_prosampler.losses import InfoNCE
from pyg_prosampler.models import GINEncoder, GraphCL
from pyg_prosampler.policies import RandomWalkPolicy, UniformPolicy
from pyg_prosampler.records import RunFolder, weights_digest
from pyg_prosampler.schedule import LinearDecay, Schedule
from pyg_prosampler.training import pretrain
from pyg_prosampler.transforms import random2, random3, random4

SAMPLERS = ("uniform", "prosampler", "knn")
FRAMEWORKS = ("graphcl",)
OBJECTIVES = ("infonce",)
AUGMENTATIONS = {"random2": random2, "random3": random3, "random4": random4}


def _option(default: Any, description: str) -> Any:
    return field(default=default, metadata={"help": description})


@dataclass(frozen=True)
class PretrainConfig:
    r"""All that decides a run; saved with its results. The descriptions of the
    fields are the help of the command line.
    """

    dataset: str = _option("MUTAG", "Name of a TUDataset, such as IMDB-BINARY.")
    root: str = _option("data", "Folder of all data sets.")
    mirror: str | None = _option(
        None,
        "https:// or file:// address with NAME.zip inside, asked before PyG's server "
        "(default: environment variable PROSAMPLER_MIRROR).",
    )
    node_features: str = _option(
        "constant",
        "What data sets without node features get: constant (1) or degree (one-hot).",
    )
    sampler: str = _option(
        "prosampler",
        "Which graphs share a batch: uniform (random ones), prosampler (a random walk "
        "on the proximity graph) or knn (a graph and its nearest neighbours).",
    )
    framework: str = _option("graphcl", "Framework: graphcl (two augmented views).")
    objective: str = _option("infonce", "Objective: infonce.")
    augmentation: str = _option(
        "random2",
        "One augmentation drawn for each graph and view: of node dropping and "
        "subgraph (random2), edge perturbation too (random3), attribute masking too "
        "(random4).",
    )
    hidden_channels: int = _option(32, "Width of the encoder.")
    num_layers: int = _option(3, "Number of layers of the encoder.")
    learning_rate: float = _option(0.01, "Learning rate of Adam.")
    temperature: float = _option(0.2, "Temperature of the objective.")
    num_epochs: int = _option(20, "Number of epochs.")
    batch_size: int = _option(128, "Number of graphs in a batch.")
    num_candidates: int | None = _option(
        None,
        "Candidates M of each graph in the proximity graph; more make harder batches "
        "(default: 500, from 5000 graphs on 1000).",
    )
    num_neighbors: int | None = _option(
        None,
        "Neighbours K kept of the candidates (default: 100, at most a tenth of the "
        "graphs).",
    )
    restart_prob: str = _option(
        "0.2:0.05",
        "Restart probability of the walk, or two for a linear decay over training; "
        "larger ones make harder batches.",
    )
    coverage: str | None = _option(
        None,
        "What an epoch promises: partition (every graph once), independent (batches "
        "drawn independently) or unseen_start (default: partition; independent for "
        "knn).",
    )
    refresh_every: int | None = _option(
        None, "Steps between two proximity graphs (default: one epoch)."
    )
    num_warmup_epochs: int = _option(1, "First epochs with uniform batches.")
    embedding_source: str = _option(
        "encoder",
        "Where the proximity graph has embeddings from: encoder (a fresh pass) or bank "
        "(those last computed in training).",
    )
    max_steps: int | None = _option(
        None, "Bound on the steps of a walk (default: 20 times the batch size)."
    )
    backend: str = _option("auto", "Backend of the walk: auto, torch_cluster or torch.")
    protocol: str = _option(
        "libsvm-rbf", "Evaluation protocol: libsvm-rbf, libsvm-linear or liblinear."
    )
    num_folds: int = _option(10, "Outer folds of the evaluation.")
    seed: int = _option(0, "Seed of weights, augmentations, batches and folds.")
    device: str = _option("cpu", "Device, such as cpu or cuda.")

    def __post_init__(self) -> None:
        for name, value, accepted in (
            ("sampler", self.sampler, SAMPLERS),
            ("framework", self.framework, FRAMEWORKS),
            ("objective", self.objective, OBJECTIVES),
            ("augmentation", self.augmentation, tuple(AUGMENTATIONS)),
        ):
            if value not in accepted:
                raise ValueError(
                    f"`{name}` should be one of {accepted} (got '{value}')"
                )
        if self.num_epochs < 1:
            raise ValueError(
                f"`num_epochs` should be at least 1 (got {self.num_epochs})"
            )
        if not self.learning_rate > 0:
            raise ValueError(
                f"`learning_rate` should be positive (got {self.learning_rate})"
            )
        parse_restart_prob(self.restart_prob, self.num_epochs)
        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(
                f"`device` '{self.device}' is not to be had here; pass 'cpu' ({error})"
            ) from error


def parse_restart_prob(text: str, num_epochs: int) -> float | Schedule:
    r"""Reads a restart probability such as :obj:`"0.2"`, or :obj:`"0.2:0.05"`
    for a linear decay over all epochs.
    """
    try:
        values = [float(part) for part in text.split(":")]
    except ValueError:
        values = []
    if len(values) not in (1, 2) or not all(0 <= value <= 1 for value in values):
        raise ValueError(
            f"`restart_prob` should be a number between 0 and 1, or two of them for "
            f"a linear decay such as '0.2:0.05' (got '{text}')"
        )
    if len(values) == 1:
        return values[0]
    return LinearDecay(values[0], values[1], num_epochs)


def load_for(config: PretrainConfig) -> InMemoryDataset:
    r"""Loads the data set of a configuration and checks that both fit."""
    dataset = load_dataset(
        config.dataset,
        config.root,
        mirror=config.mirror,
        node_features=config.node_features,
    )
    if not 2 <= config.batch_size <= len(dataset):
        raise ValueError(
            f"`batch_size` should be between 2 and {len(dataset)}, the number of "
            f"graphs in {config.dataset} (got {config.batch_size})"
        )
    check_evaluation(
        torch.zeros(len(dataset), 1),
        labels_of(dataset),
        protocol=config.protocol,
        num_folds=config.num_folds,
    )
    build_loader(config, dataset, lambda batch: batch.y)
    return dataset


def labels_of(dataset: InMemoryDataset) -> Tensor | None:
    r"""The class labels :math:`[N]` of a data set, if it has any."""
    if len(dataset) == 0 or dataset[0].y is None:
        return None
    return torch.cat([data.y.view(-1) for data in dataset])


def build_framework(config: PretrainConfig, dataset: InMemoryDataset) -> GraphCL:
    r"""Builds the model; its weights depend on the seed alone."""
    torch.manual_seed(config.seed)
    encoder = GINEncoder(
        dataset.num_node_features, config.hidden_channels, config.num_layers
    )
    augment = AUGMENTATIONS[config.augmentation]
    return GraphCL(encoder, augmentations=(augment(), augment())).to(config.device)


def build_objective(config: PretrainConfig) -> InfoNCE:
    r"""Builds the contrastive objective."""
    return InfoNCE(temperature=config.temperature)


def build_loader(
    config: PretrainConfig,
    dataset: InMemoryDataset,
    encoder: Callable[..., Tensor],
) -> ProSamplerLoader:
    r"""Builds the loader. Uniform batches and those of the nearest neighbours
    come from the same loader, so that runs differ in their batches alone.
    """
    dials: dict[str, Any] = {
        "num_candidates": config.num_candidates,
        "num_neighbors": config.num_neighbors,
        "restart_prob": parse_restart_prob(config.restart_prob, config.num_epochs),
        "max_steps": config.max_steps,
        "coverage": config.coverage or "partition",
    }
    if config.sampler == "uniform":
        dials = {"policy": UniformPolicy(), "coverage": "partition"}
    elif config.sampler == "knn":
        # A random graph and its B - 1 nearest over the whole data set.
        num_others = len(dataset) - 1
        dials = {
            "policy": RandomWalkPolicy(
                num_others, min(config.batch_size - 1, num_others), restart_prob=1.0
            ),
            "coverage": config.coverage or "independent",
        }
    return ProSamplerLoader(
        dataset,
        config.batch_size,
        encoder=encoder,
        embedding_source=config.embedding_source,
        refresh_every=config.refresh_every,
        num_warmup_epochs=config.num_warmup_epochs,
        backend=config.backend,
        seed=config.seed,
        **dials,
    )


def run(
    config: PretrainConfig,
    dataset: InMemoryDataset,
    folder: Path | str,
    *,
    evaluate_untrained: bool = True,
    on_step: Callable[[dict[str, Any]], None] | None = None,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
) -> None:
    r"""Pre-trains, evaluates, and leaves a run folder; see
    :class:`~pyg_prosampler.records.RunFolder`.

    Args:
        config (PretrainConfig): The configuration.
        dataset (InMemoryDataset): Its data set, from :meth:`load_for`.
        folder (Path or str): The run folder.
        evaluate_untrained (bool, optional): Whether to evaluate the encoder
            before training, too. (default: :obj:`True`)
        on_step, on_epoch (Callable, optional): Are told of every step and of
            every epoch. (default: :obj:`None`)
    """
    run_folder = RunFolder(folder)
    run_folder.write_config(asdict(config))
    framework = build_framework(config, dataset)
    initial_weights = weights_digest(framework)
    loader = build_loader(config, dataset, framework.embed)
    objective = build_objective(config)
    optimizer = torch.optim.Adam(framework.parameters(), lr=config.learning_rate)
    labels = labels_of(dataset)

    def evaluate(stage: str) -> Tensor:
        began = time.perf_counter()
        embeddings = embed_dataset(config, framework, dataset)
        scores = linear_evaluation(
            embeddings,
            labels,
            protocol=config.protocol,
            num_folds=config.num_folds,
            seed=config.seed,
        )
        run_folder.append(
            {
                "type": "evaluation",
                "stage": stage,
                "epoch": 0 if stage == "untrained" else config.num_epochs,
                **scores,
                "seconds": time.perf_counter() - began,
            }
        )
        return embeddings

    if evaluate_untrained:
        evaluate("untrained")
    # Training draws the same numbers whether there was an evaluation or not.
    torch.manual_seed(config.seed)
    for epoch in pretrain(
        framework,
        loader,
        objective,
        optimizer,
        config.num_epochs,
        device=config.device,
        reference=lambda: embed_dataset(config, framework, dataset),
        on_step=on_step,
    ):
        record = {"type": "epoch", **epoch}
        run_folder.append(record)
        if on_epoch is not None:
            on_epoch(record)
    run_folder.save(
        "checkpoint.pt",
        {
            "config": asdict(config),
            "initial_weights": initial_weights,
            "state_dict": framework.state_dict(),
        },
    )
    embeddings = evaluate("trained")
    run_folder.save("embeddings.pt", {"embeddings": embeddings.cpu(), "labels": labels})


def embed_dataset(
    config: PretrainConfig, framework: GraphCL, dataset: InMemoryDataset
) -> Tensor:
    r"""Computes the embeddings that are evaluated."""
    return encode_dataset(
        framework.embed, dataset, batch_size=config.batch_size, device=config.device
    )


def restore(
    checkpoint: dict[str, Any], **changes: Any
) -> tuple[PretrainConfig, GraphCL, InMemoryDataset]:
    r"""Returns configuration, framework and data set of a checkpoint, with
    changes such as another :obj:`device` or :obj:`root`.
    """
    config = replace(PretrainConfig(**checkpoint["config"]), **changes)
    dataset = load_for(config)
    framework = build_framework(config, dataset)
    framework.load_state_dict(checkpoint["state_dict"])
    return config, framework, dataset
