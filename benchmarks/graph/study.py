r"""Many comparisons, several runs side by side, each on one thread."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from joblib import Parallel, delayed
from tqdm import tqdm

from pyg_prosampler.build import load_for
from pyg_prosampler.compare import compare, run_once
from pyg_prosampler.config import PretrainConfig

RESULTS = Path(__file__).parent / "results"


def study(
    name: str,
    configs: Sequence[PretrainConfig],
    samplers: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
) -> None:
    r"""Compares samplers for every configuration and writes the summaries, one
    line each, to ``results/NAME.jsonl``. Runs that have finished in the folder are
    kept, so that a study goes on where it was interrupted.
    """
    # One thread each, and as many processes as cores, on any machine alike.
    os.environ["OMP_NUM_THREADS"] = "1"
    for config in configs:  # Data sets are processed before they are shared.
        load_for(config)
    tasks = [
        (replace(config, sampler=sampler, seed=seed), sampler == samplers[0])
        for config in configs
        for seed in seeds
        for sampler in samplers
    ]
    done = Parallel(n_jobs=-1, return_as="generator_unordered")(
        delayed(_run)(config, untrained, folder) for config, untrained in tasks
    )
    for _ in tqdm(done, total=len(tasks), desc=name, unit="run"):
        pass
    summaries = [
        compare(config, load_for(config), samplers, seeds, _path(folder, config))
        for config in configs
    ]
    # All at once, so that the file never holds a part of a study.
    lines = [json.dumps(summary) + "\n" for summary in summaries]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.jsonl").write_text("".join(lines))


def _run(config: PretrainConfig, untrained: bool, folder: Path) -> None:
    torch.set_num_threads(1)
    run_once(config, load_for(config), _path(folder, config), untrained)


def _path(folder: Path, config: PretrainConfig) -> Path:
    return folder / config.dataset / config.objective
