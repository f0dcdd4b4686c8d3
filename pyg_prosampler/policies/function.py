r"""A plain function as batch policy."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from torch import Generator, Tensor

from pyg_prosampler.policies.base import BatchPolicy

BatchFunction = Callable[
    [Tensor, Tensor, int, Generator], Iterable[Tensor | Sequence[int]]
]


@dataclass(frozen=True)
class FunctionPolicy:
    r"""Makes a batch policy of a plain function. Samplers and loaders do so
    themselves: :obj:`policy=function` is enough.

    The function is called as
    :obj:`function(embeddings, members, batch_size, generator)` and returns batches
    of distinct indices, as tensors or lists; a generator function does, too.
    :obj:`embeddings` are the current ones :math:`[N, d]` on the CPU,
    :obj:`members` the indices that may be used, in ascending order: everybody, or
    with :obj:`coverage="partition"`, who is unused. It is called once in an epoch,
    or after every refresh, and again whenever its batches have run out. The sampler
    leaves out what is not a member (any more) and fills up what is too small.

    Args:
        function (Callable): The function.

    Example:
        >>> import torch
        >>> from pyg_prosampler import ProSampler
        >>> def similar_norm(embeddings, members, batch_size, generator):
        ...     order = members[embeddings[members].norm(dim=1).argsort()]
        ...     return order.split(batch_size)
        >>> embeddings = torch.tensor([[1.0], [5.0], [2.0], [6.0]])
        >>> sampler = ProSampler(
        ...     lambda: embeddings, num_instances=4, batch_size=2,
        ...     policy=similar_norm, num_warmup_epochs=0,
        ... )
        >>> list(sampler)
        [[0, 2], [1, 3]]
    """

    function: BatchFunction

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise ValueError(
                f"`function` should be called with embeddings, members, batch size "
                f"and generator (got {self.function!r})"
            )

    def prepare(self, embeddings: Callable[[], Tensor], generator: Generator) -> Tensor:
        r"""Keeps the embeddings."""
        return embeddings().detach().cpu()

    def batches(
        self,
        prepared: Tensor,
        starts: Tensor,
        members: Tensor,
        batch_size: int,
        epoch: int,
        generator: Generator,
    ) -> Iterator[Tensor | Sequence[int]]:
        r"""Takes the batches of the function."""
        nodes = members.nonzero().view(-1)
        yield from self.function(prepared, nodes, batch_size, generator)


def as_policy(policy: BatchPolicy | BatchFunction) -> BatchPolicy:
    r"""Returns a policy as it is, and a plain function as one."""
    is_class = isinstance(policy, type)
    methods = [getattr(policy, name, None) for name in ("prepare", "batches")]
    if not is_class and all(map(callable, methods)):
        return cast(BatchPolicy, policy)
    if is_class or not callable(policy):
        raise ValueError(
            f"`policy` should be a batch policy, such as UniformPolicy(), or a "
            f"function that returns batches (got {policy!r})"
        )
    return FunctionPolicy(policy)
