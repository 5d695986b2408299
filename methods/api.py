"""What the author of a method imports; everything else in the project may move."""

from mmea_bench.datasets.core.errors import UserError
from mmea_bench.datasets.core.model.graph import KnowledgeGraph
from mmea_bench.datasets.core.model.view import TrainView
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.methods.core.base import (
    DeadlineError,
    DivergedError,
    Embeddings,
    Method,
    NoParams,
    RunContext,
    Scoring,
)
from mmea_bench.methods.core.inputs.features import input_features, modality_features
from mmea_bench.methods.core.inputs.joint_graph import (
    JointGraph,
    symmetric_normalised,
    undirected_edges,
)
from mmea_bench.methods.core.inputs.pyg import from_pyg, to_pyg
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.similarity import ScoreMatrix, mutual_nearest
from mmea_bench.methods.core.training.loop import Schedule, backward_in_batches, train
from mmea_bench.methods.core.training.minibatch import (
    MiniBatchSteps,
    backward,
    shuffled_batches,
)
from mmea_bench.methods.core.training.optimisers import adamw, sgd
from mmea_bench.methods.core.training.pseudo_seeds import IterativeSchedule, PseudoSeeds
from mmea_bench.methods.core.training.seed_training import SeedTrainingParams, train_on_seeds

__all__ = [
    "DeadlineError",
    "DivergedError",
    "Embeddings",
    "FixedMatrix",
    "IterativeSchedule",
    "JointGraph",
    "KnowledgeGraph",
    "Method",
    "MiniBatchSteps",
    "NoParams",
    "PairScores",
    "Paper",
    "PseudoSeeds",
    "RunContext",
    "Schedule",
    "ScoreMatrix",
    "Scoring",
    "SeedTrainingParams",
    "SparsePattern",
    "TrainView",
    "UserError",
    "adamw",
    "backward",
    "backward_in_batches",
    "from_pyg",
    "input_features",
    "modality_features",
    "mutual_nearest",
    "sgd",
    "shuffled_batches",
    "symmetric_normalised",
    "to_pyg",
    "train",
    "train_on_seeds",
    "undirected_edges",
]
