r"""The frozen configuration of a run."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

import torch

from pyg_prosampler.dials import check_candidates
from pyg_prosampler.ogb import is_ogb
from pyg_prosampler.schedule import LinearDecay, Schedule

EMBEDDING_SOURCES = ("encoder", "head", "bank")
SAMPLERS = (
    "uniform",
    "prosampler",
    "independent",
    "unseen-start",
    "multi-start",
    "knn",
    "gcbs",
    "ngame",
    "b3",
)
FRAMEWORKS = ("graphcl", "mvgrl")
OBJECTIVES = ("infonce", "dcl", "hcl", "unremix", "jsd")
AUGMENTATIONS = ("random2", "random3", "random4")
FRAMEWORK_DEFAULTS: dict[str, dict[str, Any]] = {
    "graphcl": {
        "objective": "infonce",
        "node_features": "constant",
        "hidden_channels": 32,
        "num_layers": 3,
        "learning_rate": 0.01,
    },
    "mvgrl": {
        "objective": "jsd",
        "node_features": "degree",
        "hidden_channels": 512,
        "num_layers": 2,
        "learning_rate": 0.001,
    },
}


# Where data lie says nothing about a result, and neither should the device.
PLACES = ("root", "mirror", "device")


def _option(default: Any, description: str) -> Any:
    return field(default=default, metadata={"help": description})


@dataclass(frozen=True)
class PretrainConfig:
    r"""All that decides a run; saved with its results. The descriptions of the
    fields are the help of the command line. Where the default depends on the
    framework or the objective, :obj:`None` stands for it until it is filled in.
    """

    dataset: str = _option(
        "MUTAG",
        "Name of a TUDataset, such as IMDB-BINARY, or of molecules of the Open Graph "
        "Benchmark, such as ogbg-molbace.",
    )
    root: str = _option("data", "Folder of all data sets.")
    mirror: str | None = _option(
        None,
        "https:// or file:// address with NAME.zip inside, asked before PyG's server "
        "(default: environment variable PROSAMPLER_MIRROR).",
    )
    node_features: str = _option(
        None,
        "What data sets without node features get: constant (1) or degree (one-hot); "
        "with-degree: all get their degree, beside node labels if there are any "
        "(default: constant for graphcl, degree for mvgrl).",
    )
    sampler: str = _option(
        "prosampler",
        "Which graphs share a batch. uniform: random ones. prosampler: a random walk "
        "on the proximity graph, every graph once an epoch; independent, unseen-start: "
        "the same with other coverage; multi-start: several walks for each batch. knn: "
        "a graph and its nearest neighbours. gcbs: a band of the similarity matrix. "
        "ngame: clusters that grow. b3: clusters of mutual neighbours, the nearest "
        "left out.",
    )
    framework: str = _option(
        "graphcl",
        "How views are made and encoded: graphcl (two augmentations, GIN) or mvgrl "
        "(adjacency and diffusion, GCN).",
    )
    objective: str = _option(
        None,
        "What is minimised. infonce: the usual start. dcl (debiased): when many "
        "negatives are of the anchor's own class. hcl (hard): as dcl, and similar "
        "negatives count more. unremix: negatives count by similarity, uncertainty and "
        "representativeness. jsd: nodes against graphs, for mvgrl only (default: "
        "infonce for graphcl, jsd for mvgrl).",
    )
    negatives: str = _option(
        "cross",
        "Negatives of an anchor: of the other view (cross) or of both views (both).",
    )
    tau: float = _option(
        0.1, "Assumed share of false negatives among negatives, for dcl and hcl."
    )
    beta: float = _option(1.0, "How much harder negatives count more, for hcl.")
    use_labels: bool = _option(
        False,
        "Leave false negatives out by label: a supervised bound for studies, not "
        "self-supervised.",
    )
    mask_twins: bool = _option(
        False,
        "Leave out of the negatives what the Weisfeiler-Lehman test does not tell "
        "apart.",
    )
    published: bool = _option(
        False,
        "Deviate from GraphCL's paper as its public code does: original, with "
        "self-loops, against one augmented view, positive left out of the denominator, "
        "one-sided, subgraphs of one hop, edges only removed, batch norms as recorded "
        "(unless asked for), and the same uniform batches in every epoch.",
    )
    augmentation: str = _option(
        "random2",
        "One augmentation drawn for each graph and view: of node dropping and "
        "subgraph (random2), edge perturbation too (random3), attribute masking too "
        "(random4).",
    )
    hidden_channels: int = _option(
        None, "Width of the encoder (default: 32 for graphcl, 512 for mvgrl)."
    )
    num_layers: int = _option(
        None, "Layers of the encoder (default: 3 for graphcl, 2 for mvgrl)."
    )
    learning_rate: float = _option(
        None, "Learning rate of Adam (default: 0.01 for graphcl, 0.001 for mvgrl)."
    )
    temperature: float | None = _option(
        None,
        "Temperature of the objective (default: 0.2 for infonce, else 0.5; jsd has "
        "none).",
    )
    num_epochs: int = _option(
        20, "Number of epochs; 0 evaluates the untrained encoder."
    )
    batch_size: int = _option(128, "Number of graphs in a batch.")
    num_candidates: int | None = _option(
        None,
        "Candidates M of each graph in the proximity graph; more make harder batches "
        "(default: 500, from 5000 graphs on 1000).",
    )
    num_neighbors: int | None = _option(
        None,
        "Neighbours K kept of the candidates (default: 100, at most a tenth of the "
        "graphs).",
    )
    candidates: str = _option(
        "auto",
        "Whether graphs draw their candidates each for itself (independent) or in "
        "groups (shared), which is what makes a million graphs possible; auto: shared "
        "from 50000 graphs on.",
    )
    restart_prob: str = _option(
        "0.2:0.05",
        "Restart probability of the walk, or two for a linear decay over training; "
        "larger ones make harder batches.",
    )
    num_starts: int = _option(4, "Walks for each batch, for multi-start.")
    refresh_every: int | None = _option(
        None, "Steps between two proximity graphs (default: one epoch)."
    )
    num_warmup_epochs: int = _option(1, "First epochs with uniform batches.")
    embedding_source: str = _option(
        "encoder",
        "Where the proximity graph has embeddings from: encoder (a fresh pass), head "
        "(a fresh pass, and the projection head of graphcl) or bank (those last "
        "computed in training).",
    )
    recompute_norms: bool = _option(
        None,
        "Take the statistics of batch norms, wherever the data set is encoded, from "
        "random batches under the current weights, not from the training batches "
        "(default: yes, unless published).",
    )
    max_steps: int | None = _option(
        None, "Bound on the steps of a walk (default: 20 times the batch size)."
    )
    backend: str = _option("auto", "Backend of the walk: auto, torch_cluster or torch.")
    protocol: str = _option(
        None,
        "Evaluation protocol: libsvm-rbf, libsvm-linear, liblinear (the linear ones "
        "take much longer), or, for molecules of OGB only, ogb, a linear probe on "
        "their scaffold split (default: ogb for these, else libsvm-rbf).",
    )
    num_folds: int = _option(10, "Outer folds of the evaluation.")
    seed: int = _option(0, "Seed of weights, augmentations, batches and folds.")
    device: str = _option("cpu", "Device, such as cpu or cuda.")

    def __post_init__(self) -> None:
        _check_choice("framework", self.framework, FRAMEWORKS)
        for name, value in FRAMEWORK_DEFAULTS[self.framework].items():
            self._fill_in(name, value)
        _check_choice("objective", self.objective, OBJECTIVES)
        _check_choice("sampler", self.sampler, SAMPLERS)
        _check_choice("augmentation", self.augmentation, AUGMENTATIONS)
        _check_choice("embedding_source", self.embedding_source, EMBEDDING_SOURCES)
        check_candidates(self.candidates)
        self._fill_in("protocol", "ogb" if is_ogb(self.dataset) else "libsvm-rbf")
        self._fill_in("recompute_norms", not self.published)
        self._check_pair()
        if self.objective != "jsd":
            self._fill_in("temperature", 0.2 if self.objective == "infonce" else 0.5)
        if self.num_epochs < 0:
            raise ValueError(
                f"`num_epochs` should not be negative (got {self.num_epochs})"
            )
        if self.seed < 0:
            raise ValueError(f"`seed` should not be negative (got {self.seed})")
        for name in ("hidden_channels", "num_layers"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"`{name}` should be at least 1 (got {getattr(self, name)})"
                )
        if not self.learning_rate > 0:
            raise ValueError(
                f"`learning_rate` should be positive (got {self.learning_rate})"
            )
        if self.sampler == "multi-start" and self.num_starts > self.batch_size:
            raise ValueError(
                f"`num_starts` should be at most {self.batch_size}, the batch size "
                f"(got {self.num_starts})"
            )
        parse_restart_prob(self.restart_prob, self.num_epochs)
        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(
                f"`device` '{self.device}' is not to be had here; pass 'cpu' ({error})"
            ) from error

    @classmethod
    def from_saved(cls, saved: dict[str, Any], **changes: Any) -> "PretrainConfig":
        r"""Reads what :meth:`dataclasses.asdict` has made of a configuration, perhaps
        of an earlier version: fields that have gone since are left out, and those that
        have been added had their defaults, but for batch norms, which were as recorded.
        The device is the CPU unless changes name another, whatever it was.
        """
        known = {f.name for f in fields(cls)}
        values = {key: value for key, value in saved.items() if key in known}
        return cls(**{"recompute_norms": False} | values | {"device": "cpu"} | changes)

    def identity(self) -> dict[str, Any]:
        r"""What two runs have in common if they are the same: all but the device, and
        where data lie.
        """
        return {key: value for key, value in asdict(self).items() if key not in PLACES}

    def _fill_in(self, name: str, value: Any) -> None:
        if getattr(self, name) is None:
            object.__setattr__(self, name, value)

    def _check_pair(self) -> None:
        r"""Refuses combinations that make no sense."""
        if self.protocol == "ogb" and not is_ogb(self.dataset):
            raise ValueError(
                f"`protocol` 'ogb' is for molecules of the Open Graph Benchmark, which "
                f"bring a split (got '{self.dataset}'); pass 'libsvm-rbf', say"
            )
        if is_ogb(self.dataset) and (
            self.framework != "graphcl" or self.augmentation == "random4"
        ):
            raise ValueError(
                f"molecules of the Open Graph Benchmark have integer features, which "
                f"`framework` 'mvgrl' and the masking of `augmentation` 'random4' do "
                f"not take (got '{self.framework}' and '{self.augmentation}'); pass "
                f"'graphcl' and 'random2' or 'random3'"
            )
        if self.embedding_source == "head" and self.framework == "mvgrl":
            raise ValueError(
                "`embedding_source` 'head' is the projection head of 'graphcl', and "
                "`framework` 'mvgrl' has none that is left out of its embeddings; pass "
                "'encoder' or 'bank'"
            )
        if self.objective == "jsd" and self.framework == "graphcl":
            raise ValueError(
                "`objective` 'jsd' scores nodes of one view against graphs of the "
                "other, and the two augmented views of 'graphcl' do not share their "
                "nodes; pass framework='mvgrl', or another objective"
            )
        if self.published and (
            (self.framework, self.objective) != ("graphcl", "infonce")
            or is_ogb(self.dataset)
        ):
            raise ValueError(
                f"`published` is about the public code of GraphCL, which has InfoNCE "
                f"and TUDatasets (got framework '{self.framework}', objective "
                f"'{self.objective}', data set '{self.dataset}'); leave it out"
            )


def _check_choice(name: str, value: str, accepted: tuple[str, ...]) -> None:
    if value not in accepted:
        raise ValueError(f"`{name}` should be one of {accepted} (got '{value}')")


def parse_restart_prob(text: str, num_epochs: int) -> float | Schedule:
    r"""Reads a restart probability such as :obj:`"0.2"`, or :obj:`"0.2:0.05"`
    for a linear decay over all epochs.
    """
    try:
        values = [float(part) for part in text.split(":")]
    except ValueError:
        values = []
    if len(values) not in (1, 2) or not all(0 <= value <= 1 for value in values):
        raise ValueError(
            f"`restart_prob` should be a number between 0 and 1, or two of them for "
            f"a linear decay such as '0.2:0.05' (got '{text}')"
        )
    if len(values) == 1:
        return values[0]
    return LinearDecay(values[0], values[1], max(num_epochs, 1))
