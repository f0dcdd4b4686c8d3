r"""What MVGRL's diffusion costs: time, memory, disk, error; and a training step.

    python -m benchmarks.graph.diffusion --mirror file:///path/to/archives

Every data set has a process of its own, so that peak memory is its own. The step is
the worst there is, on REDDIT-BINARY: batches of 128, hidden 512, a uniform batch and
that of the 128 largest graphs. ``python -m benchmarks.graph.tables`` puts the table
into the docs.
"""

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor
from torch_geometric.data import Batch, InMemoryDataset
from torch_geometric.utils import to_dense_adj

from benchmarks.graph.records import Record, put_record
from pyg_prosampler import JSD, MVGRL, PPRDiffusion, diffuse, load_dataset
from pyg_prosampler.datasets import max_degree
from pyg_prosampler.diffusion import diffusion_factors
from pyg_prosampler.records import environment

RESULTS = Path(__file__).parent / "results" / "diffusion.jsonl"
DATASETS = ("MUTAG", "IMDB-BINARY", "IMDB-MULTI", "REDDIT-BINARY")
NUM_CHECKED = 50  # graphs whose error is measured, the three largest among them


def measure(name: str, root: str, mirror: str | None) -> dict[str, Any]:
    r"""Computes the diffusion of a data set and returns what that took."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    dataset = load_dataset(name, root, mirror=mirror, node_features=None)
    before = peak_memory()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        diffuse(dataset, root=folder)
        seconds = time.perf_counter() - began
        extra = peak_memory() - before
        (file,) = Path(folder).iterdir()
        size = file.stat().st_size
        began = time.perf_counter()
        diffused = diffuse(dataset, root=folder)
        cached_seconds = time.perf_counter() - began
    sizes = torch.tensor([data.num_nodes for data in dataset])
    by_size = sizes.argsort(descending=True)
    others = by_size[3:][torch.randperm(len(dataset) - 3)]
    checked = torch.cat([by_size[:3], others])[:NUM_CHECKED]
    return {
        "dataset": name,
        "num_graphs": len(dataset),
        "seconds": seconds,
        "cached_seconds": cached_seconds,
        "extra_mib": extra,
        "stored_mb": size / 1e6,
        "num_entries": diffused._data.diffusion_factor_weight.numel(),
        "num_dense_entries": int(sizes.square().sum()),
        "largest_error": max(error_of(diffused, int(index)) for index in checked),
        "num_checked": len(checked),
    }


def error_of(dataset: InMemoryDataset, index: int) -> float:
    r"""The Frobenius norm, which bounds the spectral norm, of what the stored factor
    of a graph lacks to the dense formula in double precision.
    """
    data = dataset.get(index)
    num_nodes = data.num_nodes
    adjacency = torch.eye(num_nodes, dtype=torch.float64)
    if data.num_edges > 0:
        adjacency += to_dense_adj(data.edge_index, max_num_nodes=num_nodes)[0].clamp(
            max=1
        )
    scale = adjacency.sum(dim=1).rsqrt()
    adjacency *= scale.view(-1, 1) * scale
    alpha = PPRDiffusion().alpha
    system = torch.eye(num_nodes, dtype=torch.float64) - (1 - alpha) * adjacency
    dense = alpha * torch.linalg.inv(system)
    factor, transpose = (f.to_dense().double() for f in diffusion_factors(data))
    return float((dense - transpose @ factor).norm())


def measure_step(which: str, root: str, mirror: str | None) -> dict[str, Any]:
    r"""Takes one training step and returns what that took."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    dataset = load_dataset("REDDIT-BINARY", root, mirror=mirror, node_features=None)
    in_channels = max_degree(dataset) + 1
    dataset = diffuse(dataset)
    indices = batch_of(dataset, which)
    batch = Batch.from_data_list([dataset[int(index)] for index in indices])
    model = MVGRL(in_channels)
    optimizer = torch.optim.Adam(model.parameters())
    began = time.perf_counter()
    loss, _ = model.contrast(batch, JSD())
    loss.backward()
    optimizer.step()
    return {
        "step": which,
        "num_nodes": batch.num_nodes,
        "seconds": time.perf_counter() - began,
        "peak_gib": peak_memory() / 1024,
    }


def batch_of(dataset: InMemoryDataset, which: str) -> Tensor:
    r"""The indices of 128 graphs."""
    if which == "uniform":
        return torch.randperm(len(dataset))[:128]
    sizes = torch.tensor([data.num_nodes for data in dataset])
    return sizes.argsort(descending=True)[:128]


def peak_memory() -> float:
    r"""The largest resident memory of this process so far, in MiB (Linux only)."""
    # Not `getrusage`, which begins with the peak of the parent process.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if "VmHWM" in line) / 1024


def in_own_process(function: Callable[..., dict[str, Any]], *args: Any) -> Any:
    r"""Calls a function in a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, args)


def main(
    root: Annotated[str, typer.Option(help="Folder of all data sets.")] = "data",
    mirror: Annotated[str | None, typer.Option(help="Mirror of data sets.")] = None,
) -> None:
    """Measure all data sets and both steps, and write the records."""
    for name in DATASETS:
        load_dataset(name, root, mirror=mirror)  # Processed outside of the time.
        _keep(in_own_process(measure, name, root, mirror))
    for which in ("uniform", "largest"):
        _keep(in_own_process(measure_step, which, root, mirror))


def _keep(record: Record) -> None:
    print(record)
    put_record(RESULTS, record | environment(), ("dataset", "step"))


if __name__ == "__main__":
    typer.run(main)
