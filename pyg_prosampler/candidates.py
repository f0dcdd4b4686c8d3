r"""Who is compared with whom: random candidates, and the best of them."""

import numpy as np
import torch
from torch import Generator, Tensor

# Where fewer than one in so many are wanted, they are drawn one by one.
_SPARSE = 6
# Elsewhere, everybody is put in by chance, and at first up to so many standard
# deviations fewer than wanted (or more).
_TOWARDS = 3
# One in so many columns is looked at to guess the largest of a row.
_SAMPLED = 8


def numpy_generator(generator: Generator | None) -> np.random.Generator:
    r"""Returns a generator of NumPy, seeded from one of torch (:obj:`None` for the
    global one), which moves on.
    """
    device = "cpu" if generator is None else generator.device
    seed = torch.randint(2**62, (1,), generator=generator, device=device)
    return np.random.Generator(np.random.SFC64(int(seed)))


def draw_candidates(
    rows: np.ndarray, num_nodes: int, num_candidates: int, rng: np.random.Generator
) -> np.ndarray:
    r"""Draws :math:`M` distinct nodes other than itself for every row, every
    set of :math:`M` equally likely, and independently of other rows.

    Both ways of drawing treat all nodes alike and end at :math:`M` of them, so that
    all sets are equally likely.

    Args:
        rows (numpy.ndarray): The nodes that draw :math:`[R]`.
        num_nodes (int): The number of nodes :math:`N > M` to draw from.
        num_candidates (int): The number of candidates :math:`M`.
        rng (numpy.random.Generator): The source of randomness.

    Returns:
        numpy.ndarray: The candidates :math:`[R, M]`, ascending in every row.
    """
    num_others = num_nodes - 1
    if num_candidates < num_others / _SPARSE:
        drawn = _draw_few((rows.size, num_others), num_candidates, rng)
        drawn += drawn >= rows[:, None]  # Skip the row's own node.
        return drawn
    place = np.flatnonzero(draw_mask(rows, num_nodes, num_candidates, rng))
    drawn = place.reshape(-1, num_candidates)
    drawn -= num_nodes * np.arange(rows.size)[:, None]
    return drawn


def _draw_few(shape: tuple[int, int], num: int, rng: np.random.Generator) -> np.ndarray:
    r"""Draws numbers, and again in place of those that are there already."""
    num_rows, num_columns = shape
    drawn = rng.integers(num_columns, size=(num_rows, num), dtype=np.int32)
    left, part = np.arange(num_rows), drawn  # Rows that may repeat themselves.
    while left.size > 0:
        part.sort(axis=1)
        is_repeated = part[:, 1:] == part[:, :-1]
        drawn[left] = part
        repeats = is_repeated.any(axis=1)
        left, part, is_repeated = left[repeats], part[repeats], is_repeated[repeats]
        part[:, 1:][is_repeated] = rng.integers(
            num_columns, size=np.count_nonzero(is_repeated), dtype=np.int32
        )
    return drawn.astype(np.int64)


def draw_mask(
    rows: np.ndarray, num_nodes: int, num_candidates: int, rng: np.random.Generator
) -> np.ndarray:
    r"""Draws as :meth:`draw_candidates` does, and returns who is in as a mask
    :math:`[R, N]`.

    Puts everybody in with about the probability that is wanted. Then goes through
    random others, to put in (or out) who is not yet, until no more are lacking (or
    too many).
    """
    num_others = num_nodes - 1
    share = num_candidates / num_others
    # Whoever is drawn is often of use if many are to be put in where few are in, or
    # out where most are.
    share -= _TOWARDS * (1 - 2 * share) * (share * (1 - share) / num_others) ** 0.5
    size = rows.size * num_nodes
    # A random byte for everybody.
    coins = rng.bit_generator.random_raw(-(-size // 8)).view(np.uint8)[:size]
    mask = coins < round(256 * share)
    begin = num_nodes * np.arange(rows.size)
    mask[begin + rows] = False

    lacking = num_candidates - _count(mask.reshape(-1, num_nodes))
    latest = np.empty(size, dtype=np.int32)
    while True:
        left = lacking != 0
        begin, rows, lacking = begin[left], rows[left], lacking[left]
        if rows.size == 0:
            return mask.reshape(-1, num_nodes)
        wanted = abs(lacking)
        num_draws = wanted + wanted // 2 + 4
        place = rng.integers(num_others, size=num_draws.sum())
        place += place >= np.repeat(rows, num_draws)  # Skip the row's own node.
        place += np.repeat(begin, num_draws)
        put_in = np.repeat(lacking > 0, num_draws)
        # Of repeated draws, the first one counts, which is written last.
        order = np.arange(place.size, dtype=np.int32)
        latest[place[::-1]] = order[::-1]
        is_new = (latest[place] == order) & (mask[place] != put_in)
        # Numbers of new ones in a row up to each draw.
        new = np.concatenate([[0], np.cumsum(is_new)])
        end = np.cumsum(num_draws)
        before = new[end - num_draws]
        is_new &= new[1:] <= np.repeat(before + wanted, num_draws)
        mask[place[is_new]] = put_in[is_new]
        lacking = np.sign(lacking) * np.maximum(wanted - (new[end] - before), 0)


def nearest(
    scores: Tensor, num: int, mask: np.ndarray | None = None
) -> tuple[Tensor, Tensor]:
    r"""The :math:`k` largest scores of every row, in descending order, and their
    columns, as :meth:`torch.topk` returns them, but faster on the CPU.

    Of equal scores in float32, those of lower columns come first (and zeros with a
    minus sign after those without).

    Args:
        scores (torch.Tensor): The scores :math:`[R, n]`, finite.
        num (int): Their number :math:`k \leq n`.
        mask (numpy.ndarray, optional): Where only some columns count
            :math:`[R, n]`: those, at least :math:`k` and as many in every row.
            (default: :obj:`None`, all columns)
    """
    if scores.dtype != torch.float32 or scores.device.type != "cpu":
        if mask is not None:
            is_out = torch.from_numpy(~mask).to(scores.device)
            scores = scores.masked_fill(is_out, -torch.inf)
        return scores.topk(num, dim=1)
    values = scores.numpy()
    num_rows, num_columns = values.shape
    kept, counts = _at_least(values, num, mask)
    place = _places(kept, int(counts.sum()))

    # One number to sort by: in the high bits a float's own bits, which as an integer
    # order as it does but for the negative ones; in the low bits the column.
    bits = values.reshape(-1).take(place).view(np.int32)
    bits ^= (bits >> 31) & 0x7FFFFFFF
    keys = np.invert(bits).astype(np.int64)
    keys <<= 32
    place -= np.repeat(np.arange(num_rows) * num_columns, counts)
    keys |= place

    width = int(counts.max(initial=0))
    if width * num_rows > keys.size:  # Not all rows keep as many.
        padded = np.full((num_rows, width), np.iinfo(np.int64).max)
        padded[np.arange(width) < counts[:, None]] = keys
        keys = padded
    keys = keys.reshape(num_rows, width)
    keys.sort(axis=1)
    column = torch.from_numpy(keys[:, :num] & 0xFFFFFFFF)
    return scores.gather(1, column), column


def _at_least(
    values: np.ndarray, num: int, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    r"""Returns a mask of at least :obj:`num` largest values of every row, and rarely
    many more, and how many they are.
    """
    share = 1.0 if mask is None else np.count_nonzero(mask[:1]) / mask.shape[1]
    # The columns of a sample tell how large they are.
    sample = values[:, ::_SAMPLED]
    expected = num / share / _SAMPLED
    place = sample.shape[1] - int(expected + 3 * expected**0.5 + 2)
    if place < 0:
        kept = _exactly(values, num, mask)
        return kept, _count(kept)
    kept = values >= np.partition(sample, place, axis=1)[:, place, None]
    if mask is not None:
        kept &= mask
    counts = _count(kept)
    few = counts < num
    if few.any():
        kept[few] = _exactly(values[few], num, None if mask is None else mask[few])
        counts[few] = _count(kept[few])
    return kept, counts


def _exactly(values: np.ndarray, num: int, mask: np.ndarray | None) -> np.ndarray:
    if mask is not None:
        values = np.where(mask, values, -np.inf)
    place = values.shape[1] - num
    return values >= np.partition(values, place, axis=1)[:, place, None]


def _places(mask: np.ndarray, num: int) -> np.ndarray:
    r"""Returns where a mask holds, which is so at :obj:`num` places."""
    if num > mask.size / 10:  # NumPy is quick in these alone.
        return np.flatnonzero(mask)
    # Eight at a time, and then within the few eights that hold any.
    eights = np.zeros(-(-mask.size // 8), dtype=np.uint64)
    eights.view(bool)[: mask.size] = mask.reshape(-1)
    some = np.flatnonzero(eights != 0)
    place = np.flatnonzero(eights.take(some).view(bool))
    return (some.take(place >> 3) << 3) | (place & 7)


def _count(mask: np.ndarray) -> np.ndarray:
    r"""Counts in rows; several times as fast as :meth:`numpy.count_nonzero`."""
    smallest = np.min_scalar_type(mask.shape[1])
    return mask.view(np.uint8).sum(axis=1, dtype=smallest).astype(np.int64)
