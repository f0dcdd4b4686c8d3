r"""Slow references of the augmentations: one graph at a time, in plain loops."""

import math
from collections import defaultdict
from fractions import Fraction

import torch
from torch_geometric.data import Data


def share(p: float, size: int) -> int:
    r"""floor(p * size) in the decimal arithmetic of the reader."""
    return math.floor(Fraction(str(p)) * size)


def pairs_of(data: Data) -> list[tuple[int, int]]:
    return [(int(u), int(v)) for u, v in data.edge_index.t()]


def keep(data: Data, nodes: set[int], edges: set[int]) -> Data:
    r"""The graph of some nodes and some edges between them.

    Attributes are known by name: those of nodes are `x` and `node_*`, those of
    edges `edge_*`; others stay.
    """
    order = sorted(nodes)
    number = {node: i for i, node in enumerate(order)}
    left = [
        i
        for i, (u, v) in enumerate(pairs_of(data))
        if i in edges and u in nodes and v in nodes
    ]
    ends = [[number[w] for w in pairs_of(data)[i]] for i in left]
    out = Data()
    for key, value in data.to_dict().items():
        if key == "edge_index":
            out[key] = torch.tensor(ends, dtype=torch.long).view(-1, 2).t()
        elif key.startswith("edge_"):
            out[key] = value[torch.tensor(left, dtype=torch.long)]
        elif key == "x" or key.startswith("node_"):
            out[key] = value[torch.tensor(order, dtype=torch.long)]
        elif key == "num_nodes":
            out[key] = len(order)
        else:
            out[key] = value
    return out


def out_neighbors(data: Data) -> list[set[int]]:
    out: list[set[int]] = [set() for _ in range(data.num_nodes)]
    for u, v in pairs_of(data):
        out[u].add(v)
    return out


def snowball(neighbors: list[set[int]], size: int, rng, one_hop=False) -> frozenset:
    r"""One snowball sample, node by node."""
    kept = [int(rng.integers(len(neighbors)))]
    while len(kept) < size:
        roots = kept[:1] if one_hop else kept
        frontier = sorted(set().union(*(neighbors[u] for u in roots)) - set(kept))
        if not frontier:
            break
        kept.append(frontier[int(rng.integers(len(frontier)))])
    return frozenset(kept)


def snowball_law(neighbors: list[set[int]], size: int, one_hop=False) -> dict:
    r"""The exact probability of every snowball sample, by its growth."""
    num_nodes = len(neighbors)
    law = {(u, frozenset([u])): 1 / num_nodes for u in range(num_nodes)}
    for _ in range(size - 1):
        grown: dict = defaultdict(float)
        for (start, kept), probability in law.items():
            roots = [start] if one_hop else kept
            frontier = set().union(*(neighbors[u] for u in roots)) - kept
            for node in frontier:
                grown[start, kept | {node}] += probability / len(frontier)
            if not frontier:
                grown[start, kept] += probability
        law = grown
    out: dict = defaultdict(float)
    for (_, kept), probability in law.items():
        out[kept] += probability
    return dict(out)
