r"""Who is compared with whom: random candidates, and the best of them."""

import numpy as np
import torch
from torch import Generator, Tensor

# Where fewer than one in so many are wanted, they are drawn one by one.
_SPARSE = 6
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
    shape = rows.size, num_others
    if num_candidates < num_others / _SPARSE:
        drawn = _draw_few(shape, num_candidates, rng)
    else:
        # Drawing what to leave out is cheaper when more than half is wanted.
        complement = num_candidates > num_others // 2
        wanted = num_others - num_candidates if complement else num_candidates
        mask = _draw_mask(shape, wanted, rng)
        place = np.flatnonzero(mask != complement).reshape(-1, num_candidates)
        drawn = np.subtract(place, num_others * np.arange(rows.size)[:, None])
    drawn += drawn >= rows[:, None]  # Skip the row's own node.
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


def _draw_mask(
    shape: tuple[int, int], num: int, rng: np.random.Generator
) -> np.ndarray:
    r"""Puts everybody in with a probability a little below the share that is wanted.
    Then goes through random others, to put in (or out) who is not yet, until no more
    are lacking (or too many).
    """
    num_rows, num_columns = shape
    share = num / num_columns
    # Putting in is quick where few are in; below half, that is.
    share -= 3 * (1 - 2 * share) * (share * (1 - share) / num_columns) ** 0.5
    size = num_rows * num_columns
    # A random byte for everybody.
    coins = rng.bit_generator.random_raw(-(-size // 8)).view(np.uint8)[:size]
    mask = coins < max(0, int(256 * share))

    rows = np.arange(num_rows)
    lacking = num - _count(mask.reshape(shape))
    latest = np.empty(size, dtype=np.int32)
    while True:
        left = lacking != 0
        rows, lacking = rows[left], lacking[left]
        if rows.size == 0:
            return mask.reshape(shape)
        num_draws = 2 * abs(lacking) + 4
        place = np.repeat(rows * num_columns, num_draws)
        place += rng.integers(num_columns, size=place.size)
        put_in = np.repeat(lacking > 0, num_draws)
        # Of repeated draws, the first one counts, which is written last.
        order = np.arange(place.size, dtype=np.int32)
        latest[place[::-1]] = order[::-1]
        is_new = (latest[place] == order) & (mask[place] != put_in)
        # Numbers of new ones in a row up to each draw.
        new = np.concatenate([[0], np.cumsum(is_new)])
        end = np.cumsum(num_draws)
        begin = end - num_draws
        wanted = abs(lacking)
        is_new &= new[1:] <= np.repeat(new[begin] + wanted, num_draws)
        mask[place[is_new]] = put_in[is_new]
        lacking = np.sign(lacking) * np.maximum(wanted - (new[end] - new[begin]), 0)


def nearest(scores: Tensor, num: int) -> tuple[Tensor, Tensor]:
    r"""The :math:`k` largest scores of every row, in descending order, and their
    columns, as :meth:`torch.topk` returns them, but faster on the CPU.

    Of equal scores in float32, those of lower columns come first (and zeros with a
    minus sign after those without).

    Args:
        scores (torch.Tensor): The scores :math:`[R, n]`, finite.
        num (int): Their number :math:`k \leq n`.
    """
    if scores.dtype != torch.float32 or scores.device.type != "cpu":
        return scores.topk(num, dim=1)
    values = scores.numpy()
    num_rows, num_columns = values.shape
    kept, counts = _at_least(values, num)
    place = np.flatnonzero(kept)

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


def _at_least(values: np.ndarray, num: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Returns a mask of at least :obj:`num` largest values of every row, and rarely
    many more, and how many they are.
    """
    # The columns of a sample tell how large they are.
    sample = values[:, ::_SAMPLED]
    expected = num / _SAMPLED
    place = sample.shape[1] - int(expected + 3 * expected**0.5 + 2)
    if place < 0:
        kept = values >= _kth_largest(values, num)
        return kept, _count(kept)
    kept = values >= np.partition(sample, place, axis=1)[:, place, None]
    counts = _count(kept)
    few = counts < num
    if few.any():
        kept[few] = values[few] >= _kth_largest(values[few], num)
        counts[few] = _count(kept[few])
    return kept, counts


def _kth_largest(values: np.ndarray, k: int) -> np.ndarray:
    place = values.shape[1] - k
    return np.partition(values, place, axis=1)[:, place, None]


def _count(mask: np.ndarray) -> np.ndarray:
    r"""Counts in rows; several times as fast as :meth:`numpy.count_nonzero`."""
    smallest = np.min_scalar_type(mask.shape[1])
    return mask.view(np.uint8).sum(axis=1, dtype=smallest).astype(np.int64)
