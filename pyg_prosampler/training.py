r"""The pre-training loop that the command line and the benchmarks share."""

import time
from collections.abc import Callable, Iterator
from statistics import mean
from typing import Any, Protocol

import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_prosampler.hardness import HardnessMonitor
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
    twins: Tensor | None = None,
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
        twins (torch.Tensor, optional): A class for each graph of the data set, of
            shape :obj:`[N]`, such as :meth:`~pyg_prosampler.twin_classes` gives; pairs
            of the same one are left out of the negatives. (default: :obj:`None`)
        reference (Callable, optional): Returns embeddings of the data set
            :math:`[N, d]` to measure similarity on while the sampler has none, as
            in warm-up epochs; called once in such an epoch, on nobody's time.
            (default: :obj:`None`, no similarity is measured there)
        on_step (Callable, optional): Is told of every step, for instance to
            show progress. (default: :obj:`None`)

    Yields:
        dict: The epoch's number, mean loss, number of steps, restart
        probability, fill rate, seconds of the sampler and in all, and what
        :class:`~pyg_prosampler.hardness.HardnessMonitor` has measured: similarity
        (on the embeddings that the batches were drawn by, or on the reference),
        false negatives (if graphs have labels), neighbours found and coverage.

    Warns:
        UserWarning: Once, if embeddings collapse or false negatives run away, see
            :class:`~pyg_prosampler.hardness.HardnessMonitor`.

    Raises:
        ValueError: If labels are to be used that graphs do not have, or if no batch
            has two graphs.
        FloatingPointError: If the loss is NaN or infinite.
    """
    # Labels that are left out of the negatives do no harm.
    monitor = HardnessMonitor(
        loader.batch_sampler.num_instances, watch_false_negatives=not use_labels
    )
    for epoch in range(num_epochs):
        began = time.perf_counter()
        loader.set_epoch(0 if fixed_batches else epoch)
        sampler = loader.batch_sampler
        framework.train()
        losses: list[float] = []
        measured_on: Tensor | None = None
        for batch in loader:
            if batch.num_graphs < 2:
                continue
            latest = None if sampler.report["warmup"] else sampler.latest_embeddings
            if latest is None and measured_on is None and reference is not None:
                paused = time.perf_counter()
                latest = reference()
                began += time.perf_counter() - paused
            if latest is not None and latest is not measured_on:
                measured_on = latest
                monitor.measure_on(latest)
            has_labels = batch.y is not None and batch.y.numel() == batch.num_graphs
            if use_labels and not has_labels:
                raise ValueError(
                    "`use_labels` needs a label `y` for every graph, and batches of "
                    "`loader` have none; give them labels or leave it out"
                )
            graph_id = batch.graph_id
            monitor.step(graph_id, batch.y.view(-1) if has_labels else None)
            batch = batch.to(device)
            optimizer.zero_grad()
            mask = same_label_mask(batch.y.view(-1)) if use_labels else None
            if twins is not None:
                alike = same_label_mask(twins[graph_id].to(device))
                mask = alike if mask is None else mask | alike
            loss, embeddings = framework.contrast(batch, objective, mask)
            if not torch.isfinite(loss):
                raise FloatingPointError(
                    f"the loss is {loss.item()} at epoch {epoch}, step {len(losses)}; "
                    f"lower the learning rate or raise the temperature"
                )
            loss.backward()
            optimizer.step()
            if loader.embedding_source == "bank":
                loader.update(batch, embeddings)
            losses.append(loss.item())
            if on_step is not None:
                on_step(
                    {
                        "epoch": epoch,
                        "loss": losses[-1],
                        "restart_prob": sampler.report["restart_prob"],
                        **monitor.latest(),
                    }
                )
        if not losses:
            raise ValueError(
                "`loader` gives no batch of at least 2 graphs, so that there is "
                "nothing to contrast; raise its batch size"
            )
        yield {
            "epoch": epoch,
            "warmup": sampler.report["warmup"],
            "num_steps": len(losses),
            "loss": mean(losses),
            "restart_prob": sampler.report["restart_prob"],
            **monitor.end_epoch(epoch, sampler.report["warmup"]),
            "fill_rate": sampler.fill_rate,
            "sampler_seconds": sampler.report["seconds"],
            "seconds": time.perf_counter() - began,
        }
