r"""Slow references of the batch policies, written from the formulas on dense
matrices and in plain loops.
"""

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from tests.reference_sampling import cosine


def similarity_matrix(embeddings) -> np.ndarray:
    num_nodes = embeddings.size(0)
    return np.array(
        [
            [cosine(embeddings[i].double(), embeddings[j].double()) for j in range(n)]
            for i, n in enumerate([num_nodes] * num_nodes)
        ]
    )


def top_quantile(similarity: np.ndarray, quantile: float) -> np.ndarray:
    r"""The dense matrix of zeros and ones that keeps the largest similarities."""
    upper = np.triu_indices(len(similarity), k=1)
    threshold = np.quantile(similarity[upper], quantile)
    kept = similarity >= threshold
    np.fill_diagonal(kept, False)
    return kept


def cuthill_mckee_chunks(kept: np.ndarray, batch_size: int) -> list[list[int]]:
    order = reverse_cuthill_mckee(csr_array(kept), symmetric_mode=True)
    return [
        order[first : first + batch_size].tolist()
        for first in range(0, len(order), batch_size)
    ]


def mutual_pairs(similarity: np.ndarray, num_skipped: int, num_kept: int) -> set:
    r"""The pairs i, j of which each is among the other's ranks p to p + m."""
    kept = []
    for i in range(len(similarity)):
        others = [j for j in range(len(similarity)) if j != i]
        others.sort(key=lambda j: -similarity[i, j])
        kept.append(set(others[num_skipped : num_skipped + num_kept]))
    return {(i, j) for i in range(len(kept)) for j in kept[i] if i in kept[j]}


def nearest_members(similarity, start: int, members: list[int], num: int) -> set[int]:
    others = [j for j in members if j != start]
    others.sort(key=lambda j: -similarity[start, j])
    return {start, *others[: num - 1]}


def multi_start_walks(neighbors, starts, sizes, num_steps, restart_prob, rng):
    r"""One walk after the other, none of which takes what another one has or where
    another one starts.
    """
    taken: list[int] = []
    for index, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        own: list[int] = []
        node = start
        for _ in range(num_steps + 1):
            is_free = node not in taken and node not in starts[index + 1 :]
            if is_free and node not in own and len(own) < size:
                own.append(node)
            if rng.random() < restart_prob:
                node = start
            else:
                node = int(rng.choice(neighbors[node]))
        taken += own
    return taken
