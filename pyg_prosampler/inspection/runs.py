r"""The runs in a folder, and what they have saved."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from pyg_prosampler.config import SAMPLERS, PretrainConfig
from pyg_prosampler.records import RunFolder


class Run(NamedTuple):
    r"""A run as its folder has it."""

    folder: RunFolder
    config: PretrainConfig
    epochs: list[dict[str, Any]]


def find_runs(path: Path | str) -> list[Run]:
    r"""Reads the runs in a folder: that of one run, or one that
    ``prosampler compare`` or ``prosampler pretrain`` has left, by sampler and seed.

    Raises:
        FileNotFoundError: If there is no run with a finished epoch.
        ValueError: If the runs are on several data sets.
    """
    path = Path(path)
    if not path.is_dir():
        raise FileNotFoundError(
            f"'{path}' is not a folder; name one that `prosampler compare` or "
            f"`prosampler pretrain` has left"
        )
    runs = []
    for records in sorted(path.rglob("records.jsonl")):
        folder = RunFolder(records.parent)
        epochs = [r for r in folder.read_records() if r["type"] == "epoch"]
        if epochs:
            config = PretrainConfig.from_saved(folder.read_config())
            runs.append(Run(folder, config, epochs))
    if not runs:
        raise FileNotFoundError(
            f"'{path}' holds no run with a finished epoch; name a folder that "
            f"`prosampler compare` or `prosampler pretrain` has left"
        )
    names = sorted({run.config.dataset for run in runs})
    if len(names) > 1:
        raise ValueError(
            f"'{path}' holds runs on several data sets ({', '.join(names)}); name the "
            f"folder of one of them"
        )
    return sorted(
        runs, key=lambda run: (SAMPLERS.index(run.config.sampler), run.config.seed)
    )


def load_embeddings(runs: Sequence[Run]) -> tuple[Run, Tensor, Tensor | None]:
    r"""Returns a run that has left embeddings, if possible of ProSampler, its
    embeddings :math:`[N, d]` and its labels :math:`[N]`.

    Raises:
        FileNotFoundError: If no run has.
    """
    finished = [run for run in runs if (run.folder.path / "embeddings.pt").exists()]
    # If no run has finished, the first one will tell.
    ranked = sorted(finished or runs, key=lambda r: r.config.sampler != "prosampler")
    saved = ranked[0].folder.load("embeddings.pt")
    return ranked[0], saved["embeddings"], saved.get("labels")
