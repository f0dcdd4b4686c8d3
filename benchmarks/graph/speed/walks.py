r"""Index batches from walks on a proximity graph, against a plain Python loop."""

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch_geometric.data import Data

from benchmarks.graph.speed.timing import side_by_side
from pyg_prosampler import ProSampler, proximity_graph
from pyg_prosampler.policies import RandomWalkPolicy

NUM_CANDIDATES, NUM_NEIGHBORS, BATCH_SIZE, RESTART_PROB = 1_000, 100, 128, 0.1
NUM_NODES = (5_000, 50_000)


class Prepared(ProSampler):
    r"""Draws epochs from a proximity graph that is there already, and by default not
    built anew in a partition.
    """

    def __init__(self, graph: Data, coverage: str, rebuild_at: float = 0.0) -> None:
        num_nodes = graph.num_nodes
        super().__init__(
            lambda: graph.x,
            num_nodes,
            BATCH_SIZE,
            policy=RandomWalkPolicy(
                NUM_CANDIDATES, NUM_NEIGHBORS, RESTART_PROB, rebuild_at=rebuild_at
            ),
            coverage=coverage,
            refresh_every=2**62,
            num_warmup_epochs=0,
        )
        self.prepared = graph
        self.steps_since_refresh = 0


def measure(root: str, mirror: str | None) -> Iterator[dict[str, Any]]:
    for num_nodes in NUM_NODES:
        embeddings = torch.randn(num_nodes, 96)
        graph = proximity_graph(embeddings, NUM_CANDIDATES, NUM_NEIGHBORS)
        graph.x = embeddings
        neighbors = graph.edge_index[1].view(num_nodes, -1).tolist()
        rng = random.Random(0)
        num_batches = -(-num_nodes // BATCH_SIZE)
        num_steps = len(until_all_are_seen(neighbors, rng))
        common = {
            "num_nodes": num_nodes,
            "batch_size": BATCH_SIZE,
            "num_batches": num_batches,
            # Of the loop that goes on until everybody has been seen.
            "num_batches_until_all_seen": num_steps,
        }
        for coverage in ("independent", "unseen_start", "partition"):
            sampler = Prepared(graph, coverage)
            ways: dict[str, Callable[[], Any]] = {
                "until all are seen": partial(until_all_are_seen, neighbors, rng),
                "as many batches": partial(independent, neighbors, num_batches, rng),
                "ProSampler": partial(list, sampler),
            }
            yield {
                "case": f"{coverage}, N={num_nodes}",
                **common,
                **side_by_side(ways, num_repetitions=3, max_seconds=30),
            }


def independent(
    neighbors: list[list[int]], num_batches: int, rng: random.Random
) -> list[list[int]]:
    return [
        walk(neighbors, rng.randrange(len(neighbors)), rng) for _ in range(num_batches)
    ]


def until_all_are_seen(
    neighbors: list[list[int]], rng: random.Random
) -> list[list[int]]:
    r"""The loop of the public sampler: batches start at somebody unseen, until all
    have been seen, which takes several times as many as an epoch has.
    """
    unseen = set(range(len(neighbors)))
    order = list(unseen)
    rng.shuffle(order)
    batches = []
    for start in order:
        if start in unseen:
            batch = walk(neighbors, start, rng)
            unseen.difference_update(batch)
            batches.append(batch)
    return batches


def walk(neighbors: list[list[int]], start: int, rng: random.Random) -> list[int]:
    r"""A walk with restart until it has visited a batch, or for 20 times as many
    steps.
    """
    visited = {start: None}
    node = start
    for _ in range(20 * BATCH_SIZE):
        if len(visited) == BATCH_SIZE:
            break
        node = start if rng.random() < RESTART_PROB else rng.choice(neighbors[node])
        visited[node] = None
    return list(visited)
