r"""All parts by the number of instances, for a log-log plot.

What is about embeddings alone goes on to a million of them; what is about graphs, to
the first graphs of NCI1, of which there are 4110.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from benchmarks.graph.speed import training, walks
from benchmarks.graph.speed.timing import side_by_side
from pyg_prosampler import (
    GINEncoder,
    ProSamplerLoader,
    encode_dataset,
    knn_graph,
    linear_evaluation,
    load_dataset,
    proximity_graph,
)
from pyg_prosampler.build import labels_of
from pyg_prosampler.policies import UniformPolicy

NUM_CHANNELS, NUM_CANDIDATES, NUM_NEIGHBORS = 96, 1_000, 50
NUM_NODES = {
    "independent candidates": (2_000, 5_000, 10_000, 20_000, 50_000),
    "shared candidates": (10_000, 50_000, 100_000, 300_000, 1_000_000),
    "nearest neighbours": (1_000, 2_000, 5_000, 10_000, 20_000),
    "independent walks": (10_000, 50_000, 100_000, 300_000, 1_000_000),
    "walks in a partition": (5_000, 10_000, 30_000, 100_000, 200_000),
    "collation": (250, 500, 1_000, 2_000, 4_000),
    "encoding": (250, 500, 1_000, 2_000, 4_000),
    "training epoch": (250, 500, 1_000, 2_000, 4_000),
    "evaluation": (250, 500, 1_000, 2_000, 4_000),
}


def measure(root: str, mirror: str | None) -> Iterator[dict[str, Any]]:
    for way, sizes in NUM_NODES.items():
        for num_nodes in sizes:
            if way in ("collation", "encoding", "training epoch", "evaluation"):
                dataset = load_dataset("NCI1", root, mirror=mirror)
                # They are sorted by class.
                order = torch.randperm(
                    len(dataset), generator=torch.Generator().manual_seed(0)
                )
                run = prepare_graphs(way, dataset[order[:num_nodes]])
            else:
                run = prepare(way, num_nodes)
            began = time.perf_counter()
            run()
            # Thrice where it is quick, and then not counting the first time.
            is_quick = time.perf_counter() - began < 3
            yield {
                "case": f"{way}, N={num_nodes}",
                "way": way,
                "num_nodes": num_nodes,
                **side_by_side(
                    {way: run}, num_repetitions=3 if is_quick else 1, num_warmups=0
                ),
            }


def prepare(way: str, num_nodes: int) -> Callable[[], Any]:
    r"""Returns what is to be measured."""
    if "walks" in way:
        # Where the edges lead does not matter to how long walks take.
        graph = random_graph(num_nodes)
        coverage = "partition" if "partition" in way else "independent"
        sampler = walks.Prepared(graph, coverage)
        return lambda: [None for _ in sampler]
    embeddings = torch.randn(num_nodes, NUM_CHANNELS)
    if way == "nearest neighbours":
        return lambda: knn_graph(embeddings, NUM_NEIGHBORS)
    candidates = way.split()[0]
    return lambda: proximity_graph(
        embeddings, NUM_CANDIDATES, NUM_NEIGHBORS, candidates=candidates
    )


def prepare_graphs(way: str, dataset: Any) -> Callable[[], Any]:
    r"""Returns what is to be measured on graphs."""
    if way == "collation":
        loader = ProSamplerLoader(dataset, 128, encoder=None, policy=UniformPolicy())
        return lambda: [None for _ in loader]
    if way == "training epoch":
        return training.ours(dataset, "bank")
    encoder = GINEncoder(dataset.num_node_features)
    if way == "encoding":
        return lambda: encode_dataset(encoder, dataset)
    embeddings, labels = encode_dataset(encoder, dataset), labels_of(dataset)
    return lambda: linear_evaluation(embeddings, labels, num_jobs=1)


def random_graph(num_nodes: int) -> Any:
    embeddings = torch.randn(num_nodes, 8)
    graph = proximity_graph(embeddings, 200, NUM_NEIGHBORS, candidates="shared")
    graph.x = embeddings
    return graph
