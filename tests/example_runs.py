r"""Run folders and embeddings to look at."""

from dataclasses import asdict

import torch

from pyg_prosampler.config import PretrainConfig
from pyg_prosampler.inspection import (
    Run,
)
from pyg_prosampler.records import RunFolder


def leave_run(path, embeddings=None, labels=None, rates=(0.5, 0.6), **options):
    folder = RunFolder(path)
    folder.write_config(asdict(PretrainConfig(batch_size=4, num_epochs=2, **options)))
    folder.append({"type": "evaluation", "stage": "untrained"})
    for epoch, rate in enumerate(rates):
        folder.append(
            {
                "type": "epoch",
                "epoch": epoch,
                "warmup": epoch == 0,
                "false_negative_rate": rate,
            }
        )
    if embeddings is not None:
        folder.save("embeddings.pt", {"embeddings": embeddings, "labels": labels})
    return path


def run_of(**options):
    return Run(None, PretrainConfig(num_epochs=2, **options), [])


def clusters(num_clusters=4, size=5, noise=0.05):
    centres = torch.eye(num_clusters).repeat_interleave(size, dim=0)
    labels = torch.arange(num_clusters).repeat_interleave(size)
    return centres + noise * torch.randn(num_clusters * size, num_clusters), labels
