r"""A bank of embeddings, fed by the training loop."""

from torch import Tensor


class EmbeddingBank:
    r"""Keeps the latest embedding of every graph, as the training loop has
    computed it. Callable, so that it serves as source of embeddings.

    Graphs that were never updated have the zero vector, which is equally far
    (cosine 0) from everything.

    Args:
        num_graphs (int): The number of graphs :math:`N`.

    Example:
        >>> import torch
        >>> bank = EmbeddingBank(3)
        >>> bank.update(torch.tensor([2, 0]), torch.eye(2))
        >>> bank()
        tensor([[0., 1.],
                [0., 0.],
                [1., 0.]])
    """

    def __init__(self, num_graphs: int) -> None:
        self.num_graphs = num_graphs
        self.embeddings: Tensor | None = None

    def update(self, graph_id: Tensor, embeddings: Tensor) -> None:
        r"""Stores embeddings :math:`[B, d]` of the graphs with data-set
        indices :math:`[B]`, detached.

        Raises:
            ValueError: If their shapes do not fit each other or what is kept.
        """
        if embeddings.dim() != 2 or embeddings.size(0) != graph_id.numel():
            raise ValueError(
                f"`embeddings` should have one row for each of the "
                f"{graph_id.numel()} graphs (got shape {list(embeddings.shape)})"
            )
        embeddings = embeddings.detach()
        if self.embeddings is None:
            self.embeddings = embeddings.new_zeros(self.num_graphs, embeddings.size(1))
        if embeddings.size(1) != self.embeddings.size(1):
            raise ValueError(
                f"`embeddings` should have {self.embeddings.size(1)} channels like "
                f"those kept so far (got {embeddings.size(1)})"
            )
        kept = self.embeddings
        kept[graph_id.to(kept.device)] = embeddings.to(kept.device, kept.dtype)

    def __call__(self) -> Tensor:
        if self.embeddings is None:
            raise ValueError(
                "the embedding bank is empty; call `loader.update(batch, z)` after "
                "every training step, and keep at least one warm-up epoch"
            )
        # Training goes on, and what was drawn by should stay what it was.
        return self.embeddings.clone()
