"""What the author of a dataset imports; everything else in the project may move."""

from mmea_bench.datasets.core.access.base import NoOptions, PairDataset, RemoteFile
from mmea_bench.datasets.core.access.layouts import LayoutDataset
from mmea_bench.datasets.core.errors import DataError, MissingDataError, UserError
from mmea_bench.datasets.core.model.canonical import canonical
from mmea_bench.datasets.core.model.features import Features
from mmea_bench.datasets.core.model.graph import KnowledgeGraph
from mmea_bench.datasets.core.model.pair import KGPair
from mmea_bench.datasets.core.model.surface_forms import surface_form
from mmea_bench.datasets.core.paper import Paper
from mmea_bench.datasets.core.readers import graphs, text

__all__ = [
    "DataError",
    "Features",
    "KGPair",
    "KnowledgeGraph",
    "LayoutDataset",
    "MissingDataError",
    "NoOptions",
    "PairDataset",
    "Paper",
    "RemoteFile",
    "UserError",
    "canonical",
    "graphs",
    "surface_form",
    "text",
]
