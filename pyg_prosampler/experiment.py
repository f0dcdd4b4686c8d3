r"""From a configuration to a finished run folder."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import InMemoryDataset

from pyg_prosampler.build import (
    build_framework,
    build_loader,
    build_objective,
    labels_of,
    load_for,
)
from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.encode import encode_dataset
from pyg_prosampler.evaluation import linear_evaluation
from pyg_prosampler.ogb import scaffold_evaluation
from pyg_prosampler.records import RunFolder, weights_digest
from pyg_prosampler.training import Framework, pretrain
from pyg_prosampler.twins import twin_classes


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
            before training, too, if there is any training. (default: :obj:`True`)
        on_step, on_epoch (Callable, optional): Are told of every step and of
            every epoch. (default: :obj:`None`)
    """
    run_folder = RunFolder(folder)
    run_folder.write_config(asdict(config))
    framework = build_framework(config, dataset)
    initial_weights = weights_digest(framework)
    from_head = config.embedding_source == "head"
    loader = build_loader(
        config, dataset, framework.project if from_head else framework.embed
    )
    objective = build_objective(config)
    optimizer = torch.optim.Adam(
        framework.parameters(), lr=config.learning_rate, fused=True
    )
    labels = labels_of(dataset)

    def evaluate(stage: str) -> Tensor:
        began = time.perf_counter()
        embeddings = embed_dataset(config, framework, dataset)
        scores = evaluate_embeddings(config, embeddings, dataset)
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

    if evaluate_untrained and config.num_epochs > 0:
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
        fixed_batches=config.published and config.sampler == "uniform",
        use_labels=config.use_labels,
        twins=twin_classes(dataset, config.num_layers) if config.mask_twins else None,
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
    embeddings = evaluate("trained" if config.num_epochs > 0 else "untrained")
    run_folder.save("embeddings.pt", {"embeddings": embeddings.cpu(), "labels": labels})


def evaluate_embeddings(
    config: PretrainConfig, embeddings: Tensor, dataset: InMemoryDataset
) -> dict[str, Any]:
    r"""Scores embeddings by the protocol of a configuration."""
    if config.protocol == "ogb":
        return scaffold_evaluation(embeddings, dataset)
    return linear_evaluation(
        embeddings,
        labels_of(dataset),
        protocol=config.protocol,
        num_folds=config.num_folds,
        seed=config.seed,
    )


def embed_dataset(
    config: PretrainConfig, framework: Framework, dataset: InMemoryDataset
) -> Tensor:
    r"""Computes the embeddings that are evaluated."""
    return encode_dataset(
        framework.embed,
        dataset,
        batch_size=config.batch_size,
        recompute_norms=config.recompute_norms,
        device=config.device,
    )


def restore(
    checkpoint: dict[str, Any], **changes: Any
) -> tuple[PretrainConfig, Framework, InMemoryDataset]:
    r"""Returns configuration, framework and data set of a checkpoint, with
    changes such as another :obj:`root`, or a :obj:`device` other than the CPU.
    """
    config = PretrainConfig.from_saved(checkpoint["config"], **changes)
    dataset = load_for(config)
    framework = build_framework(config, dataset)
    framework.load_state_dict(checkpoint["state_dict"])
    return config, framework, dataset
