r"""How the restart probability changes over training."""

from collections.abc import Callable
from dataclasses import dataclass

Schedule = Callable[[int], float]


@dataclass(frozen=True)
class LinearDecay:
    r"""Goes linearly from one value in the first epoch to another in the last
    one, and stays there.

    The default is the restart probability of the `"ProSampler"
    <https://arxiv.org/abs/2306.03355>`_ paper, from 0.2 down to 0.05: early
    batches stay close to their start node (hard), later ones roam further.

    Args:
        start (float, optional): The value at epoch 0. (default: :obj:`0.2`)
        end (float, optional): The value at the last epoch and thereafter.
            (default: :obj:`0.05`)
        num_epochs (int, optional): The number of epochs. (default: :obj:`20`)

    Example:
        >>> decay = LinearDecay(0.2, 0.05, num_epochs=4)
        >>> [round(decay(epoch), 2) for epoch in range(5)]
        [0.2, 0.15, 0.1, 0.05, 0.05]
    """

    start: float = 0.2
    end: float = 0.05
    num_epochs: int = 20

    def __post_init__(self) -> None:
        if self.num_epochs < 1:
            raise ValueError(
                f"`num_epochs` should be at least 1 (got {self.num_epochs})"
            )

    def __call__(self, epoch: int) -> float:
        if epoch >= self.num_epochs - 1:
            return self.end
        return self.start + (self.end - self.start) * epoch / (self.num_epochs - 1)
