r"""The map of embeddings with the graphs of one batch marked."""

from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from pyg_prosampler.figures.style import scatter_classes
from pyg_prosampler.hardness import mean_similarity
from pyg_prosampler.inspection import principal_components
from pyg_prosampler.policies import BatchPolicy, UniformPolicy
from pyg_prosampler.sampler import ProSampler


def draw_batches(
    embeddings: Tensor,
    labels: Tensor | None,
    policy: BatchPolicy,
    epoch: int,
    batch_size: int,
    seed: int,
    path: Path | str,
    title: str,
) -> None:
    r"""Draws the first two principal components of embeddings :math:`[N, d]`,
    normalised as the proximity graph compares them, with one batch of a walk and
    one uniform batch marked side by side: those of an epoch's full batches whose
    similarity is the median, as single ones differ widely.

    Args:
        embeddings (torch.Tensor): The embeddings :math:`[N, d]`.
        labels (torch.Tensor, optional): The classes :math:`[N]`.
        policy (BatchPolicy): The walk.
        epoch (int): The epoch whose restart probability is used.
        batch_size (int): The batch size.
        seed (int): The seed.
        path (Path or str): The file, whose suffix decides the format.
        title (str): The title.
    """
    num_graphs = embeddings.size(0)
    points, shares = principal_components(embeddings)

    def typical_batch(policy: BatchPolicy) -> Tensor:
        sampler = ProSampler(
            lambda: embeddings,
            num_graphs,
            batch_size,
            num_warmup_epochs=0,
            seed=seed,
            policy=policy,
        )
        sampler.set_epoch(epoch)
        batches = [torch.tensor(batch) for batch in sampler]
        full = [batch for batch in batches if batch.numel() == batches[0].numel()]
        full.sort(key=lambda batch: mean_similarity(embeddings[batch]))
        return full[len(full) // 2]

    figure = Figure(figsize=(10, 5), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    policies = {"ProSampler": policy, "uniform": UniformPolicy()}
    for ax, (name, one) in zip(axes, policies.items(), strict=True):
        chosen = typical_batch(one)
        scatter_classes(ax, points, labels, s=18, alpha=0.55)
        ax.scatter(
            *points[chosen.numpy()].T,
            s=85,
            facecolors="none",
            edgecolors="black",
            linewidths=1.1,
            label="in the batch",
        )
        similarity = mean_similarity(embeddings[chosen])
        ax.set_title(f"one {name} batch, mean similarity {similarity:.3f}")
        ax.set_xlabel(f"component 1 ({shares[0]:.0%})")
    axes[0].set_ylabel(f"component 2 ({shares[1]:.0%})")
    handles, names = axes[1].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    figure.savefig(path, dpi=150)
