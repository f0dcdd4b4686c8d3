r"""Progress bars of runs."""

from collections.abc import Callable
from typing import Any

from torch_geometric.data import InMemoryDataset
from tqdm import tqdm

from pyg_prosampler.build import build_loader
from pyg_prosampler.config import PretrainConfig


class Bars:
    r"""A progress bar for every run, one after the other."""

    def __init__(self, dataset: InMemoryDataset) -> None:
        self.dataset = dataset
        self.bar: Any = None

    def __enter__(self) -> "Bars":
        return self

    def begin(self, config: PretrainConfig) -> dict[str, Callable[..., None]]:
        r"""Starts the bar of a run and returns what feeds it."""
        self.__exit__()
        label = f"{config.sampler} seed {config.seed}"
        self.bar, callbacks = _bar(config, self.dataset, label)
        return callbacks

    def __exit__(self, *exc: object) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def _bar(
    config: PretrainConfig, dataset: InMemoryDataset, label: str
) -> tuple[Any, dict[str, Callable[..., None]]]:
    steps_per_epoch = len(build_loader(config, dataset, lambda batch: batch.y))
    bar = tqdm(
        total=config.num_epochs * steps_per_epoch,
        desc=label,
        unit="step",
        mininterval=0.2,
        dynamic_ncols=True,
    )

    def on_step(step: dict[str, Any]) -> None:
        restart_prob = step["restart_prob"]
        bar.set_postfix_str(
            f"epoch {step['epoch'] + 1}/{config.num_epochs}, "
            f"loss {step['loss']:.3f}, restart "
            + ("none" if restart_prob is None else f"{restart_prob:.3f}")
            + f", similarity {step['similarity']:.3f}",
            refresh=False,
        )
        bar.update()

    def on_epoch(record: dict[str, Any]) -> None:
        # A last batch of one graph was no step.
        bar.update((record["epoch"] + 1) * steps_per_epoch - bar.n)

    return bar, {"on_step": on_step, "on_epoch": on_epoch}
