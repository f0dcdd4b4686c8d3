r"""What commands say."""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import typer
from rich.console import Console
from torch_geometric.data import InMemoryDataset

from pyg_prosampler.datasets import describe_node_features

console = Console()


def announced(dataset: InMemoryDataset) -> InMemoryDataset:
    r"""Says what a data set holds, added node features included."""
    console.print(
        f"{dataset.name}: {len(dataset)} graphs, {dataset.num_classes} classes; node "
        f"features: {describe_node_features(dataset)}",
        highlight=False,
        soft_wrap=True,
    )
    return dataset


def describe(scores: dict[str, Any]) -> str:
    r"""Puts scores into one line."""
    if scores["protocol"] == "ogb":
        value = f"{100 * scores['mean']:.2f}% (validation {100 * scores['valid']:.2f}%)"
        return f"{scores['metric']} {value}, scaffold split"
    over_seeds = scores["std_over_seeds"]
    return (
        f"accuracy {100 * scores['mean']:.2f}%, "
        + (f"± {100 * over_seeds:.2f} over seeds, " if over_seeds is not None else "")
        + f"± {100 * scores['std_over_folds']:.2f} over folds ({scores['protocol']})"
    )


@contextmanager
def reported_errors(verbose: bool) -> Iterator[None]:
    r"""Turns errors into a line and an exit status."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(message)s"
    )
    try:
        yield
    except KeyboardInterrupt:
        print("Interrupted; what was finished is in the run folder.", file=sys.stderr)
        raise typer.Exit(130) from None
    except (
        ValueError,
        OSError,
        ImportError,
        ArithmeticError,
        torch.OutOfMemoryError,
    ) as error:
        if verbose:
            traceback.print_exc()
        print(f"Error: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
