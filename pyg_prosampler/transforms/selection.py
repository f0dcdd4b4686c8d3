r"""Uniform draws of a given number of elements in every graph at once."""

from fractions import Fraction

import torch
from torch import Generator, Tensor
from torch_geometric.utils import cumsum


def check_share(name: str, value: float, *, positive: bool = False) -> float:
    r"""Returns a share of a graph, or raises what is wrong with it."""
    if 0 <= value <= 1 and not (positive and value == 0):
        return value
    bounds = "(0, 1]" if positive else "[0, 1]"
    raise ValueError(
        f"`{name}` should lie in {bounds} (got {value}); pass {name}=0.1 for a tenth"
    )


def share_of(share: float, sizes: Tensor, *, round_up: bool = False) -> Tensor:
    r"""Returns :math:`\lfloor p n \rfloor` (or :math:`\lceil p n \rceil`) for
    all sizes, in integers: 0.29 of 100 are 29, not 28.
    """
    exact = Fraction(share).limit_denominator(10**9)
    if round_up:
        return -((-sizes * exact.numerator) // exact.denominator)
    return (sizes * exact.numerator) // exact.denominator


def positions(mask: Tensor) -> Tensor:
    r"""Returns where a mask :math:`[n]` is true, in ascending order."""
    if mask.is_cpu:  # NumPy knows how to skip, and is far faster.
        return torch.from_numpy(mask.numpy().nonzero()[0])
    return mask.nonzero().view(-1)


def rand(size: int, like: Tensor, generator: Generator | None) -> Tensor:
    r"""Uniform numbers in float32 on the device of :obj:`like`. A generator of another
    device draws there, so that one on the CPU gives the same everywhere.
    """
    device = like.device if generator is None else generator.device
    draw = torch.rand(size, generator=generator, device=device, dtype=torch.float)
    return draw.to(like.device)


def randn(size: tuple[int, ...], like: Tensor, generator: Generator | None) -> Tensor:
    r"""Standard normal numbers, see :func:`rand`."""
    device = like.device if generator is None else generator.device
    noise = torch.randn(size, generator=generator, device=device, dtype=like.dtype)
    return noise.to(like.device)


def integers_below(bound: Tensor, generator: Generator | None) -> Tensor:
    r"""One uniform number of :math:`\{0, \ldots, b - 1\}` for each bound
    :math:`b \geq 1`, see :func:`rand`.
    """
    device = bound.device if generator is None else generator.device
    draw = torch.randint(2**62, bound.shape, generator=generator, device=device)
    return draw.to(bound.device) % bound


def smallest_per_graph(key: Tensor, graph: Tensor, count: Tensor) -> Tensor:
    r"""Returns the positions of the :obj:`count[g]` smallest keys of each graph
    :math:`g`, grouped by graph, keys ascending. Keys are in float32 and not
    negative.
    """
    # Their bits are then ordered as they are: one sort instead of two.
    order = ((graph << 32) | key.view(torch.int)).argsort(stable=True)
    graph = graph.index_select(0, order)
    start = cumsum(torch.bincount(graph, minlength=count.numel()))
    rank = torch.arange(order.numel(), device=order.device) - start[graph]
    return order[rank < count[graph]]


def sample_per_graph(
    graph: Tensor, count: Tensor, generator: Generator | None
) -> Tensor:
    r"""Draws :obj:`count[g]` of the elements of each graph :math:`g` uniformly
    without replacement.

    Every element gets a random key, and the smallest ones win. Keys above a
    bound that all winners respect but once in thousands of times are not even
    sorted; in that case everything is.

    Args:
        graph (torch.Tensor): The graph of each element :obj:`[num_elements]`.
        count (torch.Tensor): How many to draw :obj:`[num_graphs]`.
        generator (torch.Generator, optional): The source of the keys.

    Returns:
        Positions in :obj:`graph`, grouped by graph, in random order in each.
    """
    key = rand(graph.numel(), graph, generator)
    sizes = torch.bincount(graph, minlength=count.numel())
    bound = (count + 5 * count.sqrt() + 10) / sizes
    low = positions(key <= bound.index_select(0, graph))
    index = smallest_per_graph(
        key.index_select(0, low), graph.index_select(0, low), count
    )
    if index.numel() == int(count.sum()):
        return low[index]
    return smallest_per_graph(key, graph, count)


def distinct_numbers(
    population: Tensor, count: Tensor, generator: Generator | None
) -> tuple[Tensor, Tensor]:
    r"""Draws :obj:`count[g]` distinct numbers below :obj:`population[g]` for
    each graph :math:`g`, without listing large populations.

    Returns:
        The numbers and their graphs, grouped by graph, in random order in each.
    """
    everything = torch.arange(count.numel(), device=count.device)
    listed = 2 * count > population

    # Many of few: list them all.
    sizes = population * listed
    graph1 = everything.repeat_interleave(sizes)
    number1 = torch.arange(graph1.numel(), device=count.device)
    number1 = number1 - cumsum(sizes)[graph1]
    chosen = sample_per_graph(graph1, count * listed, generator)
    graph1, number1 = graph1[chosen], number1[chosen]

    # Few of many: draw again what collides, each time at most every other one.
    graph2 = everything.repeat_interleave(count * ~listed)
    number2 = torch.empty_like(graph2)
    start = cumsum(population)[graph2]
    again = torch.arange(graph2.numel(), device=count.device)
    while again.numel() > 0:
        number2[again] = integers_below(population[graph2[again]], generator)
        value, order = (start + number2).sort(stable=True)
        again = order[1:][value[1:] == value[:-1]]

    graph, order = torch.cat([graph1, graph2]).sort(stable=True)
    return torch.cat([number1, number2])[order], graph
