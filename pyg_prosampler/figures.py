r"""Pictures of embeddings and batches."""

from pathlib import Path

import torch
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from torch import Tensor

from pyg_prosampler.hardness import mean_similarity
from pyg_prosampler.policies import BatchPolicy, UniformPolicy
from pyg_prosampler.sampler import ProSampler

# Okabe and Ito's colours, which the colour-blind can tell apart, along with
# shapes for black and white.
_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
_MARKERS = ("o", "^", "s", "D", "v", "P")


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
    one uniform batch marked side by side.

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
    vectors = torch.nn.functional.normalize(embeddings.float(), dim=1)
    pca = PCA(n_components=2, random_state=0)
    points = pca.fit_transform(vectors.numpy())
    classes = torch.zeros(num_graphs) if labels is None else labels

    def first_batch(policy: BatchPolicy) -> Tensor:
        sampler = ProSampler(
            lambda: vectors,
            num_graphs,
            batch_size,
            num_warmup_epochs=0,
            seed=seed,
            policy=policy,
        )
        sampler.set_epoch(epoch)
        return torch.tensor(next(iter(sampler)))

    figure = Figure(figsize=(10, 5), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    policies = {"ProSampler": policy, "uniform": UniformPolicy()}
    for ax, (name, one) in zip(axes, policies.items(), strict=True):
        chosen = first_batch(one)
        for index, value in enumerate(classes.unique().tolist()):
            mask = (classes == value).numpy()
            ax.scatter(
                *points[mask].T,
                s=18,
                c=_COLORS[index % len(_COLORS)],
                marker=_MARKERS[index % len(_MARKERS)],
                alpha=0.55,
                linewidths=0,
                label=f"class {value:g}" if labels is not None else None,
            )
        ax.scatter(
            *points[chosen.numpy()].T,
            s=85,
            facecolors="none",
            edgecolors="black",
            linewidths=1.1,
            label="in the batch",
        )
        similarity = mean_similarity(vectors[chosen])
        ax.set_title(f"one {name} batch, mean similarity {similarity:.3f}")
        ax.set_xlabel(f"component 1 ({pca.explained_variance_ratio_[0]:.0%})")
    axes[0].set_ylabel(f"component 2 ({pca.explained_variance_ratio_[1]:.0%})")
    axes[1].legend(loc="best", frameon=True)
    figure.savefig(path, dpi=150)
