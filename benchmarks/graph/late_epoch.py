r"""How hard batches are by their position in an epoch.

Goal: with :obj:`coverage="partition"`, the last quarter of an epoch should keep 90% of
the first quarter's excess of in-batch similarity over uniform batches.

Non-goal: accuracy after training.

    python -m benchmarks.graph.late_epoch

Draws epochs of the walk on fixed embeddings, of an untrained encoder and of one after
a few epochs of GraphCL with uniform batches. Prints means over epochs of the excess,
that is the mean cosine of the pairs in a batch less that of all pairs: in the first
and the last quarter of the batches and in all of them, weighted by their size, and in
the weakest batch (of at least half the batch size). Epochs are drawn until the standard
error of what the last quarter keeps is small, or for a bounded time.

"as before" takes batches in the order they are drawn, all from one proximity
graph; "rebuilt" builds it anew among the unused; "partition" also spreads the batches
over the epoch, as the default does. "independent" is the paper's sampler, without a
promise on coverage, for comparison.
"""

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.graph.records import put_record
from pyg_prosampler import ProSampler, ProSamplerLoader, encode_dataset, load_dataset
from pyg_prosampler.dials import default_dials
from pyg_prosampler.experiment import PretrainConfig, build_framework
from pyg_prosampler.hardness import mean_similarity
from pyg_prosampler.losses import InfoNCE
from pyg_prosampler.policies import RandomWalkPolicy, UniformPolicy
from pyg_prosampler.records import environment
from pyg_prosampler.training import pretrain


class AsDrawn(RandomWalkPolicy):
    shuffle_partition = False


# The policy, its `rebuild_at` and the coverage.
VARIANTS = {
    "as before": (AsDrawn, 0.0, "partition"),
    "rebuilt": (AsDrawn, 0.5, "partition"),
    "partition": (RandomWalkPolicy, 0.5, "partition"),
    "independent": (RandomWalkPolicy, 0.5, "independent"),
}


def compute_embeddings(name: str, args: argparse.Namespace) -> dict[str, Tensor]:
    cached = args.cache / f"{name}-{args.num_train_epochs}.pt"
    if cached.exists():
        return torch.load(cached, weights_only=True)
    dataset = load_dataset(name, args.root, mirror=args.mirror)
    framework = build_framework(PretrainConfig(dataset=name), dataset)
    embeddings = {"untrained": encode_dataset(framework.embed, dataset)}
    loader = ProSamplerLoader(dataset, 128, encoder=None, policy=UniformPolicy())
    optimizer = torch.optim.Adam(framework.parameters(), lr=0.01)
    objective = InfoNCE(temperature=0.2)
    for _ in pretrain(framework, loader, objective, optimizer, args.num_train_epochs):
        pass
    embeddings["trained"] = encode_dataset(framework.embed, dataset)
    cached.parent.mkdir(parents=True, exist_ok=True)
    torch.save(embeddings, cached)
    return embeddings


def measure(
    embeddings: Tensor, variant: str, restart_prob: float, args: argparse.Namespace
) -> dict:
    kind, rebuild_at, coverage = VARIANTS[variant]
    num_instances = embeddings.size(0)
    policy = kind(
        *default_dials(num_instances, None, None),
        restart_prob=restart_prob,
        rebuild_at=rebuild_at,
    )
    sampler = ProSampler(
        lambda: embeddings,
        num_instances,
        args.batch_size,
        policy=policy,
        coverage=coverage,
        num_warmup_epochs=0,
        seed=args.seed,
    )
    uniform = mean_similarity(embeddings)
    epochs, sizes, fill_rates, seconds = [], [], [], []
    began = time.perf_counter()
    while True:
        batches = [batch for batch in sampler if len(batch) > 1]
        epochs.append([mean_similarity(embeddings[batch]) for batch in batches])
        sizes = [len(batch) for batch in batches]
        fill_rates.append(sampler.fill_rate)
        seconds.append(sampler.report["seconds"])
        if len(epochs) < args.min_epochs:
            continue
        excess = torch.tensor(epochs, dtype=torch.float64) - uniform
        measured = summarize(excess, torch.tensor(sizes, dtype=torch.float64), args)
        is_late = time.perf_counter() - began > args.max_seconds
        if is_late or measured["kept_standard_error"] < args.max_error:
            break
    return {
        "uniform": uniform,
        "num_candidates": policy.num_candidates,
        "num_neighbors": policy.num_neighbors,
        **measured,
        "fill_rate": sum(fill_rates) / len(epochs),
        "seconds_per_epoch": sum(seconds) / len(epochs),
    }


def summarize(excess: Tensor, sizes: Tensor, args: argparse.Namespace) -> dict:
    r"""Means over epochs, given the excess :math:`[E, L]` of all batches and their
    sizes :math:`[L]`.
    """
    quarter = excess.size(1) // 4
    first, last = (
        excess[:, part] @ sizes[part] / sizes[part].sum()
        for part in (slice(quarter), slice(-quarter, None))
    )
    kept = last.mean() / first.mean()
    error = (last - first * kept).std() / len(excess) ** 0.5 / first.mean().abs()
    is_large = sizes >= args.batch_size / 2
    return {
        "num_epochs": len(excess),
        "first_quarter": float(first.mean()),
        "last_quarter": float(last.mean()),
        "kept": float(kept),
        "kept_standard_error": float(error),
        "mean": float((excess @ sizes).mean() / sizes.sum()),
        "weakest": float(excess[:, is_large].min(dim=1).values.mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("datasets", nargs="*", default=["IMDB-BINARY", "NCI1", "COLLAB"])
    add("--root", default="data", help="folder of all data sets")
    add("--mirror", help="address with NAME.zip inside")
    add("--cache", type=Path, default=Path("runs/late_epoch"), help="embeddings")
    add("--num-train-epochs", type=int, default=3)
    add("--batch-size", type=int, default=128)
    add("--restart-probs", type=float, nargs="+", default=[0.2, 0.05])
    add("--min-epochs", type=int, default=8)
    add("--max-error", type=float, default=0.03, help="of what is kept")
    add("--max-seconds", type=float, default=60.0, help="for each line")
    add("--seed", type=int, default=0)
    default_out = Path(__file__).parent / "results" / "late_epoch.jsonl"
    add("--out", type=Path, default=default_out)
    args = parser.parse_args()

    places = ("root", "mirror", "cache", "out")
    config = {key: value for key, value in vars(args).items() if key not in places}
    common = {"config": config, **environment()}
    print(
        f"{'data set':12} {'encoder':9} {'alpha':>5} {'batches':11} {'first':>7} "
        f"{'last':>7} {'kept':>12} {'mean':>7} {'weakest':>7} {'filled':>6} "
        f"{'s/epoch':>7}"
    )
    for name in args.datasets:
        for encoder, embeddings in compute_embeddings(name, args).items():
            for restart_prob in args.restart_probs:
                for variant in VARIANTS:
                    row = measure(embeddings, variant, restart_prob, args)
                    print(
                        f"{name:12} {encoder:9} {restart_prob:5.2f} {variant:11} "
                        f"{row['first_quarter']:7.4f} {row['last_quarter']:7.4f} "
                        f"{row['kept']:5.0%} ± {row['kept_standard_error']:4.0%} "
                        f"{row['mean']:7.4f} {row['weakest']:7.4f} "
                        f"{row['fill_rate']:6.1%} {row['seconds_per_epoch']:7.2f}",
                        flush=True,
                    )
                    which = {
                        "dataset": name,
                        "encoder": encoder,
                        "restart_prob": restart_prob,
                        "batches": variant,
                    }
                    put_record(args.out, {**which, **row, **common}, which)


if __name__ == "__main__":
    main()
