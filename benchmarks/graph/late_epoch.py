r"""How hard batches are by their position in an epoch.

Goal: with :obj:`coverage="partition"`, the last quarter of an epoch should keep 90% of
the first quarter's excess of in-batch similarity over uniform batches.

Non-goal: accuracy after training.

Run: python benchmarks/graph/late_epoch.py

Draws epochs of the walk on fixed embeddings, of an untrained encoder and of one after
a few epochs of GraphCL with uniform batches. Prints means over epochs of the excess,
that is the mean cosine of the pairs in a batch less that of all pairs: in the first
and the last quarter of the batches and in all of them, weighted by their size, and in
the weakest batch (of at least half the batch size).

"as before" takes batches in the order they are drawn, all from one proximity
graph; "rebuilt" builds it anew among the unused; "partition" also spreads the batches
over the epoch, as the default does. "independent" is the paper's sampler, without a
promise on coverage, for comparison.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor

from pyg_prosampler import ProSampler, ProSamplerLoader, encode_dataset, load_dataset
from pyg_prosampler.experiment import PretrainConfig, build_framework
from pyg_prosampler.hardness import mean_similarity
from pyg_prosampler.losses import InfoNCE
from pyg_prosampler.policies import RandomWalkPolicy, UniformPolicy
from pyg_prosampler.records import environment
from pyg_prosampler.training import pretrain


class AsDrawn(RandomWalkPolicy):
    shuffle_partition = False


# The policy, its `rebuild_at`, the coverage, and how many times as many epochs; those
# of spread batches differ most from each other.
VARIANTS = {
    "as before": (AsDrawn, 0.0, "partition", 1),
    "rebuilt": (AsDrawn, 0.5, "partition", 1),
    "partition": (RandomWalkPolicy, 0.5, "partition", 4),
    "independent": (RandomWalkPolicy, 0.5, "independent", 1),
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
    kind, rebuild_at, coverage, times = VARIANTS[variant]
    num_instances = embeddings.size(0)
    default = ProSampler(None, num_instances, args.batch_size).policy
    policy = kind(
        default.num_candidates,
        default.num_neighbors,
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
    num_epochs = times * max(args.min_epochs, args.num_batches // len(sampler))
    epochs, sizes, fill_rates, seconds = [], [], [], []
    for _ in range(num_epochs):
        batches = [batch for batch in sampler if len(batch) > 1]
        epochs.append([mean_similarity(embeddings[batch]) for batch in batches])
        sizes = [len(batch) for batch in batches]
        fill_rates.append(sampler.fill_rate)
        seconds.append(sampler.report["seconds"])
    excess = torch.tensor(epochs, dtype=torch.float64) - uniform
    weight = torch.tensor(sizes, dtype=torch.float64)
    is_large = weight >= args.batch_size / 2
    quarter = excess.size(1) // 4
    first, last = (
        excess[:, part] @ weight[part] / weight[part].sum()
        for part in (slice(quarter), slice(-quarter, None))
    )
    return {
        "uniform": uniform,
        "num_epochs": num_epochs,
        "num_candidates": policy.num_candidates,
        "num_neighbors": policy.num_neighbors,
        "first_quarter": float(first.mean()),
        "last_quarter": float(last.mean()),
        "kept": float(last.mean() / first.mean()),
        "kept_standard_error": float(
            (last - first * last.mean() / first.mean()).std()
            / num_epochs**0.5
            / first.mean().abs()
        ),
        "mean": float((excess @ weight).mean() / weight.sum()),
        "weakest": float(excess[:, is_large].min(dim=1).values.mean()),
        "by_position": excess.mean(dim=0).tolist(),
        "fill_rate": sum(fill_rates) / num_epochs,
        "seconds_per_epoch": sum(seconds) / num_epochs,
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
    add("--num-batches", type=int, default=300, help="drawn for each line")
    add("--min-epochs", type=int, default=8)
    add("--seed", type=int, default=0)
    default_out = Path(__file__).parent / "results" / "late_epoch.json"
    add("--out", type=Path, default=default_out)
    args = parser.parse_args()

    rows = []
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
                    rows.append(
                        {
                            "dataset": name,
                            "encoder": encoder,
                            "restart_prob": restart_prob,
                            "batches": variant,
                            **row,
                        }
                    )
    places = ("root", "mirror", "cache", "out")
    config = {key: value for key, value in vars(args).items() if key not in places}
    record = {**environment(), "config": config, "rows": rows}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    temporary = args.out.with_suffix(f".{time.time_ns()}")
    temporary.write_text(json.dumps(record, indent=1) + "\n")
    temporary.replace(args.out)


if __name__ == "__main__":
    main()
