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
    StopScore,
)
from mmea_bench.methods.core.inputs.features import input_features, modality_features
from mmea_bench.methods.core.inputs.graphs.joint_graph import (
    JointGraph,
    symmetric_normalised,
    undirected_edges,
)
from mmea_bench.methods.core.inputs.graphs.pyg import from_pyg, to_pyg
from mmea_bench.methods.core.inputs.graphs.triple_sets import TripleSet
from mmea_bench.methods.core.inputs.literals import AttributeValues
from mmea_bench.methods.core.inputs.names import averaged_word_vectors, name_vectors, ngram_counts
from mmea_bench.methods.core.inputs.text_encoders import text_vectors
from mmea_bench.methods.core.layers.graph_layers import (
    EdgeScores,
    GATLayer,
    GCNLayer,
    HighwayGate,
    adjacency_matrix,
    attended,
)
from mmea_bench.methods.core.layers.reflection import (
    EndReflectionLayer,
    ReflectionGraph,
    ReflectionLayer,
    relation_table,
)
from mmea_bench.methods.core.layers.relation_matrices import (
    inverse_frequency_adjacency,
    relation_means,
    underweighted_adjacency,
)
from mmea_bench.methods.core.layers.sparse import FixedMatrix, SparsePattern
from mmea_bench.methods.core.losses.margins import (
    hard_sample_loss,
    likelihood_loss,
    limit_loss,
    logistic_loss,
    margin_loss,
    pair_distances,
    pair_margin_loss,
)
from mmea_bench.methods.core.losses.translation import (
    CorruptedTriples,
    translation_distances,
    triple_distances,
)
from mmea_bench.methods.core.pair_scores import PairScores
from mmea_bench.methods.core.search_space import Choice, Float, Int
from mmea_bench.methods.core.similarity import ScoreMatrix, mutual_nearest
from mmea_bench.methods.core.training.bootstrapping import Bootstrapping, BootstrapRule
from mmea_bench.methods.core.training.loop import Schedule, backward_in_batches, train
from mmea_bench.methods.core.training.minibatch import MiniBatchSteps, backward, shuffled_batches
from mmea_bench.methods.core.training.negatives import (
    FilteredCorruption,
    NearestCandidates,
    TypedCandidates,
    UniformCandidates,
    bernoulli_head_share,
    drawn_of,
    nearest_pair_negatives,
    random_pair_negatives,
)
from mmea_bench.methods.core.training.optimisers import adagrad, adam, adamw, rmsprop, sgd
from mmea_bench.methods.core.training.pseudo_seeds import (
    IterativeSchedule,
    PseudoLabelParams,
    PseudoSeeds,
)
from mmea_bench.methods.core.training.seed_training import SeedTrainingParams, train_on_seeds
from mmea_bench.methods.core.training.triple_corruption import TripleBatches

__all__ = [
    "AttributeValues",
    "BootstrapRule",
    "Bootstrapping",
    "Choice",
    "CorruptedTriples",
    "DeadlineError",
    "DivergedError",
    "EdgeScores",
    "Embeddings",
    "EndReflectionLayer",
    "FilteredCorruption",
    "FixedMatrix",
    "Float",
    "GATLayer",
    "GCNLayer",
    "HighwayGate",
    "Int",
    "IterativeSchedule",
    "JointGraph",
    "KnowledgeGraph",
    "Method",
    "MiniBatchSteps",
    "NearestCandidates",
    "NoParams",
    "PairScores",
    "Paper",
    "PseudoLabelParams",
    "PseudoSeeds",
    "ReflectionGraph",
    "ReflectionLayer",
    "RunContext",
    "Schedule",
    "ScoreMatrix",
    "Scoring",
    "SeedTrainingParams",
    "SparsePattern",
    "StopScore",
    "TrainView",
    "TripleBatches",
    "TripleSet",
    "TypedCandidates",
    "UniformCandidates",
    "UserError",
    "adagrad",
    "adam",
    "adamw",
    "adjacency_matrix",
    "attended",
    "averaged_word_vectors",
    "backward",
    "backward_in_batches",
    "bernoulli_head_share",
    "drawn_of",
    "from_pyg",
    "hard_sample_loss",
    "input_features",
    "inverse_frequency_adjacency",
    "likelihood_loss",
    "limit_loss",
    "logistic_loss",
    "margin_loss",
    "modality_features",
    "mutual_nearest",
    "name_vectors",
    "nearest_pair_negatives",
    "ngram_counts",
    "pair_distances",
    "pair_margin_loss",
    "random_pair_negatives",
    "relation_means",
    "relation_table",
    "rmsprop",
    "sgd",
    "shuffled_batches",
    "symmetric_normalised",
    "text_vectors",
    "to_pyg",
    "train",
    "train_on_seeds",
    "translation_distances",
    "triple_distances",
    "underweighted_adjacency",
    "undirected_edges",
]
