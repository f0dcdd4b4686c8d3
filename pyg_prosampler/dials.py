r"""The numbers of candidates and neighbours: what is allowed, and what is usual."""

import warnings

# How candidates may be drawn.
CANDIDATES = ("auto", "independent", "shared")


def default_dials(
    num_instances: int, num_candidates: int | None, num_neighbors: int | None
) -> tuple[int, int]:
    r"""Returns the numbers of candidates and neighbours, checked, with the defaults
    of :class:`~pyg_prosampler.ProSampler` for :obj:`None`.
    """
    if num_candidates is None:
        usual = 500 if num_instances < 5000 else 1000
        # A larger number of neighbours asked for counts as a wish for more.
        num_candidates = min(max(usual, num_neighbors or 0), num_instances - 1)
        num_neighbors = num_neighbors and min(num_neighbors, num_instances - 1)
    if num_neighbors is None:
        num_neighbors = min(100, max(1, num_instances // 10), num_candidates)
    return check_dials(num_instances, num_candidates, num_neighbors)


def check_dials(
    num_nodes: int, num_candidates: int, num_neighbors: int
) -> tuple[int, int]:
    r"""Checks the number of candidates and neighbours and clips them to the
    :math:`N - 1` other instances, with a warning for the former.
    """
    if num_candidates < 1:
        raise ValueError(
            f"`num_candidates` should be at least 1 (got {num_candidates})"
        )
    if not 1 <= num_neighbors <= num_candidates:
        raise ValueError(
            f"`num_neighbors` should be between 1 and `num_candidates` = "
            f"{num_candidates}, since neighbours are chosen among the candidates "
            f"(got {num_neighbors})"
        )
    if num_candidates > num_nodes - 1:
        warnings.warn(
            f"`num_candidates` is clipped from {num_candidates} to the "
            f"{num_nodes - 1} other instances there are: the proximity graph is "
            f"the exact nearest-neighbour graph",
            UserWarning,
            stacklevel=3,
        )
    return min(num_candidates, num_nodes - 1), min(num_neighbors, num_nodes - 1)


def check_candidates(candidates: str) -> None:
    r"""Raises an error unless it is a known way to draw candidates."""
    if candidates not in CANDIDATES:
        raise ValueError(
            f"`candidates` should be one of {CANDIDATES} (got '{candidates}')"
        )
