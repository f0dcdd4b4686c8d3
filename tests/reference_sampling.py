r"""Slow references of the sampler, written from the formulas in plain loops."""

import torch
from torch import Tensor


def cosine(a: Tensor, b: Tensor) -> float:
    norm = float(a.norm() * b.norm())
    return float(a @ b) / norm if norm > 0 else 0.0


def nearest_neighbors(embeddings: Tensor, num_neighbors: int) -> list[list[int]]:
    num_nodes = embeddings.size(0)
    out = []
    for i in range(num_nodes):
        others = [j for j in range(num_nodes) if j != i]
        others.sort(key=lambda j: -cosine(embeddings[i], embeddings[j]))
        out.append(others[:num_neighbors])
    return out


def walk_with_restart(neighbors, start, num_steps, restart_prob, rng) -> list[int]:
    trace = [start]
    for _ in range(num_steps):
        node = trace[-1]
        if rng.random() < restart_prob:
            trace.append(start)
        elif neighbors[node]:
            trace.append(int(rng.choice(neighbors[node])))
        else:
            trace.append(node)
    return trace


def personalized_pagerank(neighbors, start: int, restart_prob: float) -> Tensor:
    r"""pi = alpha (I - (1 - alpha) P^T)^-1 onehot(u)."""
    num_nodes = len(neighbors)
    transition = torch.zeros(num_nodes, num_nodes, dtype=torch.float64)
    for node, targets in enumerate(neighbors):
        for target in targets or [node]:
            transition[node, target] += 1 / max(len(targets), 1)
    onehot = torch.zeros(num_nodes, dtype=torch.float64)
    onehot[start] = 1
    system = torch.eye(num_nodes, dtype=torch.float64)
    system -= (1 - restart_prob) * transition.t()
    return restart_prob * torch.linalg.solve(system, onehot)


def mean_pair_similarity(embeddings: Tensor) -> float:
    values = [
        cosine(embeddings[i], embeddings[j])
        for i in range(embeddings.size(0))
        for j in range(embeddings.size(0))
        if i != j
    ]
    return sum(values) / len(values)
