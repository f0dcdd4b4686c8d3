r"""The pre-training loop that the command line and the benchmarks share."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_prosampler.hardness import false_negative_rate, mean_similarity
from pyg_prosampler.loader import ProSamplerLoader
from pyg_prosampler.losses import same_label_mask


class Framework(Protocol):
    r"""What the loop asks of a framework such as
    :class:`~pyg_prosampler.GraphCL`.
    """

    def train(self, mode: bool = True) -> Any: ...

    def contrast(
        self, batch: Batch, objective: Callable[..., Tensor], mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        r"""Returns the loss of a batch and its embeddings :math:`[B, d]`, given
        the pairs :math:`[B, B]` to leave out of the negatives.
        """

    def embed(self, batch: Batch) -> Tensor:
        r"""Returns the embeddings :math:`[B, d]` that are evaluated."""


def pretrain(
    framework: Framework,
    loader: ProSamplerLoader,
    objective: Callable[..., Tensor],
    optimizer: torch.optim.Optimizer,
    num_epochs: int,
    *,
    device: torch.device | str = "cpu",
    fixed_batches: bool = False,
    use_labels: bool = False,
    reference: Callable[[], Tensor] | None = None,
    on_step: Callable[[dict[str, Any]], None] | None = None,
) -> Iterator[dict[str, Any]]:
    r"""Pre-trains a framework and yields a record of every epoch.

    A batch of one graph has no negatives and is left out.

    Args:
        framework (Framework): The module that is trained, on :obj:`device`.
        loader (ProSamplerLoader): The batches; its bank is fed if in use.
        objective (Callable): The contrastive objective.
        optimizer (torch.optim.Optimizer): Over the parameters of the framework.
        num_epochs (int): The number of epochs.
        device (torch.device, optional): Where batches are moved to.
            (default: :obj:`"cpu"`)
        fixed_batches (bool, optional): Whether all epochs have the batches of the
            first one. (default: :obj:`False`)
        use_labels (bool, optional): Whether pairs of the same class are left out
            of the negatives: a supervised bound for studies, not
            self-supervised. (default: :obj:`False`)
        reference (Callable, optional): Returns embeddings of the data set
            :math:`[N, d]` to measure similarity on while the sampler has none, as
            in warm-up epochs; called once in such an epoch, on nobody's time.
            (default: :obj:`None`, no similarity is measured there)
        on_step (Callable, optional): Is told of every step, for instance to
            show progress. (default: :obj:`None`)

    Yields:
        dict: The epoch's number, mean loss, number of steps, restart
        probability, mean in-batch similarity (of the embeddings that the batches
        were drawn by, or of the reference) beside that of all pairs, which uniform
        batches have on average, false-negative rate (if graphs have
        labels), fill rate, seconds of the sampler and in all.

    Raises:
        FloatingPointError: If the loss is NaN or infinite.
    """
    for epoch in range(num_epochs):
        began = time.perf_counter()
        loader.set_epoch(0 if fixed_batches else epoch)
        sampler = loader.batch_sampler
        framework.train()
        steps: list[dict[str, Any]] = []
        measured_on: Tensor | None = None
        for batch in loader:
            if batch.num_graphs < 2:
                continue
            if not sampler.report["warmup"] and sampler.latest_embeddings is not None:
                measured_on = sampler.latest_embeddings
            elif measured_on is None and reference is not None:
                paused = time.perf_counter()
                measured_on = reference()
                began += time.perf_counter() - paused
            batch = batch.to(device)
            optimizer.zero_grad()
            mask = same_label_mask(batch.y.view(-1)) if use_labels else None
            loss, embeddings = framework.contrast(batch, objective, mask)
            if not torch.isfinite(loss):
                raise FloatingPointError(
                    f"the loss is {loss.item()} at epoch {epoch}, step {len(steps)}; "
                    f"lower the learning rate or raise the temperature"
                )
            loss.backward()
            optimizer.step()
            if loader.embedding_source == "bank":
                loader.update(batch, embeddings)
            step = {
                "loss": loss.item(),
                "restart_prob": sampler.report["restart_prob"],
            }
            if measured_on is not None:
                chosen = batch.graph_id.to(measured_on.device)
                step["similarity"] = mean_similarity(measured_on[chosen])
                if not steps:
                    similarity_floor = mean_similarity(measured_on)
                step["similarity_floor"] = similarity_floor
            if batch.y is not None and batch.y.numel() == batch.num_graphs:
                step["false_negative_rate"] = false_negative_rate(batch.y.view(-1))
            steps.append(step)
            if on_step is not None:
                on_step(step)
        if not steps:
            raise ValueError(
                "`loader` gives no batch of at least 2 graphs, so that there is "
                "nothing to contrast; raise its batch size"
            )
        yield {
            "epoch": epoch,
            "warmup": sampler.report["warmup"],
            "num_steps": len(steps),
            "loss": _mean(steps, "loss"),
            "restart_prob": sampler.report["restart_prob"],
            "similarity": _mean(steps, "similarity"),
            "similarity_floor": _mean(steps, "similarity_floor"),
            "false_negative_rate": _mean(steps, "false_negative_rate"),
            "fill_rate": sampler.fill_rate,
            "sampler_seconds": sampler.report["seconds"],
            "seconds": time.perf_counter() - began,
        }


def _mean(steps: list[dict[str, Any]], key: str) -> float | None:
    values = [step[key] for step in steps if key in step]
    return sum(values) / len(values) if values else None
