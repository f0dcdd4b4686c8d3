r"""Batches from storage, and whole epochs of the loader, against PyG's loader.

Goal: the seconds of an epoch, collation alone (the same index batches for both) and
with everything that chooses them: refresh from the bank, proximity graph and walks,
against a shuffle.
Non-goals: transforms and data sets out of memory, which PyG collates in either loader;
the encoder, whose fresh pass is another part.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch_geometric.loader import DataLoader

from benchmarks.graph.speed.timing import side_by_side
from pyg_prosampler import ProSamplerLoader, load_dataset
from pyg_prosampler.loader import IndexedCollater, IndexedDataset

NAMES = (
    "MUTAG",
    "PROTEINS",
    "NCI1",
    "IMDB-BINARY",
    "IMDB-MULTI",
    "REDDIT-BINARY",
    "COLLAB",
)
BATCH_SIZE = 128
EMBEDDING_DIM = 96


def measure(root: str, mirror: str | None) -> Iterator[dict[str, Any]]:
    for name in NAMES:
        dataset = load_dataset(name, root, mirror=mirror)
        # PyG keeps every graph that it has handed out; each way has its own cache.
        own = copy.copy(dataset)
        own._data_list = None
        facts = {
            "num_graphs": len(dataset),
            "mebibytes": sum(value.nbytes for _, value in stored(dataset)) / 2**20,
        }
        yield {"case": f"{name}, collate", **facts, **collation(dataset, own)}
        own._data_list = None
        yield {"case": f"{name}, epoch", **facts, **epochs(dataset, own)}


def stored(dataset: Any) -> list[tuple[str, torch.Tensor]]:
    return [item for item in dataset._data if isinstance(item[1], torch.Tensor)]


def collation(dataset: Any, own: Any) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(dataset), generator=generator)
    batches = [batch.tolist() for batch in order.split(BATCH_SIZE)]
    fast = torch.utils.data.DataLoader(
        IndexedDataset(own),
        batch_sampler=batches,
        collate_fn=IndexedCollater(own, None, None),
    )
    plain = DataLoader(dataset, batch_sampler=batches)
    return side_by_side({"PyG": exhaust(plain), "storage": exhaust(fast)})


def epochs(dataset: Any, own: Any) -> dict[str, Any]:
    loader = ProSamplerLoader(
        own, BATCH_SIZE, encoder=None, embedding_source="bank", num_warmup_epochs=0
    )
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(len(dataset), EMBEDDING_DIM, generator=generator)
    loader.update(torch.arange(len(dataset)), embeddings)
    plain = DataLoader(dataset, BATCH_SIZE, shuffle=True)
    sampler_seconds = []

    def hard() -> None:
        exhaust(loader)()
        sampler_seconds.append(loader.batch_sampler.report["seconds"])

    times = side_by_side({"PyG": exhaust(plain), "ProSamplerLoader": hard})
    return {"sampler_seconds": sorted(sampler_seconds[1:]), **times}


def exhaust(batches: Iterable[Any]) -> Callable[[], None]:
    def run() -> None:
        for _ in batches:
            pass

    return run
