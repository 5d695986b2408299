"""How the papers lay out the tables whose numbers are published: rows, columns and captions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mmea_bench.reports.core.document import NumberStyle
from mmea_bench.reports.core.words import METRIC_NAMES

RowName = tuple[str, str]
"""Method and variant; the empty variant is the full model."""

DATASET_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "dbp15k-zh-en": "DBP15K ZH-EN",
        "dbp15k-ja-en": "DBP15K JA-EN",
        "dbp15k-fr-en": "DBP15K FR-EN",
        "fb15k-db15k": "FB15K-DB15K",
        "fb15k-yago15k": "FB15K-YAGO15K",
        "nmmea": "NMMEA",
    }
)
_ZH_JA_FR = ("dbp15k-zh-en", "dbp15k-ja-en", "dbp15k-fr-en")
_CROSS_KG = ("fb15k-db15k", "fb15k-yago15k")
_RANKS = ("hits@1", "hits@10", "mrr")
_PAIRS = ("precision", "recall", "f1")


_SHORT_RANKS: Mapping[str, str] = MappingProxyType({"hits@1": "H@1", "hits@10": "H@10"})


@dataclass(frozen=True)
class RowGroup:
    """Rows that a paper prints together.

    Attributes:
        label: What the paper calls them, empty for no name.
        rows: In printing order.
        word: Setting that tells them from equal names in other groups, empty for none.
        seed_ratio: Ratio of these rows; None where the columns say it.
    """

    label: str
    rows: tuple[RowName, ...]
    word: str = ""
    seed_ratio: float | None = None


@dataclass(frozen=True)
class Layout:
    """One published table.

    Attributes:
        source: Key of the paper.
        table: Name of the table there.
        paper: Name of the paper for captions.
        caption: What the table shows.
        groups: Its rows.
        datasets: Outer header level, in printing order.
        metrics: Inner header level, in printing order.
        seed_ratios: Middle header level; empty where columns have no ratio of their own.
        group_name: Header of the column of group names; empty for no such column.
        row_name: Header of the column of rows.
        style: How the paper writes a number.
        digits: Behind the point of measured numbers; printed ones keep their own.
        ranks_groups_apart: Whether the paper marks the best of each group, not of the table.
        measured_ratio: Ratio at which a table without one is measured here.
    """

    source: str
    table: str
    paper: str
    caption: str
    groups: tuple[RowGroup, ...]
    datasets: tuple[str, ...]
    metrics: tuple[str, ...]
    seed_ratios: tuple[float, ...] = ()
    group_name: str = ""
    row_name: str = "method"
    style: NumberStyle = "fraction"
    digits: int = 3
    ranks_groups_apart: bool = False
    measured_ratio: float | None = None

    @property
    def title(self) -> str:
        """Caption with the place where the numbers were printed."""
        return f"{self.paper}, {self.table}: {self.caption}"

    def metric_name(self, metric: str) -> str:
        """Header word of a metric, as the paper writes it."""
        if self.source in ("mclea2022", "loginmea2024", "selfmea2022"):
            return _SHORT_RANKS.get(metric, METRIC_NAMES[metric])
        return METRIC_NAMES[metric]


def _methods(*names: str) -> tuple[RowName, ...]:
    return tuple((name, "") for name in names)


def _variants(method: str, *names: str) -> tuple[RowName, ...]:
    return tuple((method, name) for name in names)


_MCLEA = "MCLEA (COLING 2022)"
_LOGINMEA = "LoginMEA (ECAI 2024)"
_CLAMEA = "CLAMEA (EMNLP Findings 2025)"
_CROSSEA = "CrossEA (COLING 2025)"
_SELFMEA = "SelfMEA (IEEE/CAA JAS 2022)"
_A_MMKG = _methods("PoE", "ACK-MMEA", "MCLEA", "MEAformer", "DESAlign")
_CLIP = _methods("CLIP-MMEA", "SE-CLIP-MMEA", "SE-CLIP-MMEA+")
_MCLEA_RIVALS = _methods("PoE", "HMEA", "MMEA", "EVA", "MCLEA")

LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "mclea2022",
        "Table 1",
        _MCLEA,
        "bilingual datasets without (w/o) and with (w/) surface forms (SF), 30 % seeds",
        (
            RowGroup(
                "w/o SF",
                _methods("BootEA", "KECG", "MUGNN", "NAEA", "AliNet", "EVA", "MCLEA"),
                "no-names",
            ),
            RowGroup(
                "w/ SF",
                _methods("MultiKE", "HMAN", "RDGCN", "AttrGNN", "BERT-INT", "ERMC", "MCLEA"),
                "names",
            ),
        ),
        _ZH_JA_FR,
        _RANKS,
        group_name="input",
        ranks_groups_apart=True,
    ),
    Layout(
        "mclea2022",
        "Table 2",
        _MCLEA,
        "cross-KG datasets at three shares of seed links",
        tuple(
            RowGroup(f"{100 * ratio:.0f} %", _MCLEA_RIVALS, seed_ratio=ratio)
            for ratio in (0.2, 0.5, 0.8)
        ),
        _CROSS_KG,
        _RANKS,
        group_name="seeds",
        ranks_groups_apart=True,
    ),
    Layout(
        "mclea2022",
        "Table 3",
        _MCLEA,
        "unsupervised methods; MCLEA-V and MCLEA-N find pseudo-seeds by images and by names",
        (
            RowGroup(
                "",
                (
                    *_methods("MRAEA", "RREA", "EASY", "SEU"),
                    *_variants("MCLEA", "MCLEA-V", "MCLEA-N"),
                ),
            ),
        ),
        _ZH_JA_FR,
        _RANKS,
        measured_ratio=0.3,
    ),
    Layout(
        "mclea2022",
        "Table 4",
        _MCLEA,
        "ablation on two bilingual datasets, 30 % seeds",
        (
            RowGroup("", _methods("MCLEA")),
            RowGroup(
                "modalities",
                _variants(
                    "MCLEA",
                    *("w/o structure", "w/o relation", "w/o attribute", "w/o name", "w/o visual"),
                ),
            ),
            RowGroup(
                "training",
                _variants("MCLEA", "w/o ICL", "w/o IAL", "w/o iter. strategy", "w/o uncertainty"),
            ),
        ),
        _ZH_JA_FR[:2],
        _RANKS,
        group_name="part",
        row_name="variant",
    ),
    Layout(
        "loginmea2024",
        "Table 1",
        _LOGINMEA,
        "cross-KG datasets at three shares of seed links",
        (
            RowGroup("EA", _methods("TransE", "IPTransE", "GCN-Align", "KECG")),
            RowGroup(
                "MMEA",
                _methods(
                    *("PoE", "MMEA", "HMEA", "EVA", "MSNEA", "ACK-MMEA", "XGEA", "UMAEA"),
                    *("MCLEA", "MEAformer", "LoginMEA"),
                ),
            ),
        ),
        _CROSS_KG,
        _RANKS,
        (0.2, 0.5, 0.8),
        group_name="kind",
    ),
    Layout(
        "loginmea2024",
        "Table 2",
        _LOGINMEA,
        "bilingual datasets, 30 % seeds",
        (
            RowGroup("EA", _methods("GCN-Align", "KECG", "BootEA", "NAEA")),
            RowGroup(
                "MMEA",
                _methods(
                    *("EVA", "MSNEA", "XGEA", "UMAEA", "PSNEA", "MCLEA", "MEAformer", "LoginMEA")
                ),
            ),
        ),
        _ZH_JA_FR,
        _RANKS,
        group_name="kind",
    ),
    Layout(
        "loginmea2024",
        "Table 3",
        _LOGINMEA,
        "variants on the cross-KG datasets, 20 % seeds",
        (
            RowGroup(
                "component",
                (
                    ("LoginMEA", ""),
                    *_variants(
                        "LoginMEA",
                        *("w/o Low-rank", "w/o Adaptive weights", "repl. Concat Fusion"),
                        *("repl. GAT", "repl. ICL"),
                    ),
                ),
            ),
            RowGroup(
                "modality", _variants("LoginMEA", "w/o Visual", "w/o Attribute", "w/o Relation")
            ),
        ),
        _CROSS_KG,
        _RANKS,
        group_name="part",
        row_name="variant",
    ),
    Layout(
        "clamea2025",
        "Table 1",
        _CLAMEA,
        "cross-KG datasets, 20 % seeds",
        (
            RowGroup(
                "",
                _methods(
                    *("EVA", "MSNEA", "MCLEA", "ACK-MMEA", "GEEA", "MEAformer", "PMF", "DESAlign"),
                    *("IBMEA", "LoginMEA", "SimDiff", "PMMEA", "PCMEA", "TMEA", "CLAMEA"),
                ),
            ),
        ),
        _CROSS_KG,
        ("hits@1", "hits@5", "hits@10", "mrr"),
        style="decimal",
        digits=4,
    ),
    Layout(
        "clamea2025",
        "Table 2",
        _CLAMEA,
        "ablation on the cross-KG datasets",
        (
            RowGroup(
                "",
                (
                    ("CLAMEA", ""),
                    *_variants(
                        "CLAMEA",
                        *("w/o R", "w/o V", "w/o A", "w/o MFE", "w/o DMAFF", "w/o DMMG"),
                        *("w/o CMAE", "w/o IT", "w/o MAF", "w/o L_m", "w/o L_s", "w/o G"),
                    ),
                ),
            ),
        ),
        _CROSS_KG,
        _RANKS,
        row_name="variant",
        style="decimal",
        digits=4,
    ),
    Layout(
        "crossea2025",
        "Table 2",
        _CROSSEA,
        "NMMEA at three shares of training pairs",
        (
            RowGroup("A-MMKG", _A_MMKG),
            RowGroup("CLIP", _CLIP),
            RowGroup("ours", _methods("CrossEA")),
        ),
        ("nmmea",),
        _PAIRS,
        (0.1, 0.3, 0.5),
        group_name="kind",
        style="decimal",
    ),
    Layout(
        "crossea2025",
        "Table 3",
        _CROSSEA,
        "methods for A-MMKGs and CLIP-based methods with the alignment inference of CrossEA (-md) "
        "on NMMEA, 30 % of the pairs",
        (RowGroup("", tuple((method, "-md") for method, _ in (*_A_MMKG, *_CLIP))),),
        ("nmmea",),
        _PAIRS,
        style="decimal",
    ),
    Layout(
        "crossea2025",
        "Table 4",
        _CROSSEA,
        "methods for A-MMKGs on different datasets",
        (RowGroup("", _A_MMKG),),
        (*_CROSS_KG, "nmmea"),
        ("hits@1",),
        style="decimal",
        measured_ratio=0.8,
    ),
    Layout(
        "crossea2025",
        "Table 5",
        _CROSSEA,
        "ablation on NMMEA, 30 % of the pairs",
        (RowGroup("", (("CrossEA", ""), *_variants("CrossEA", "w/o SL", "w/o AIM"))),),
        ("nmmea",),
        _PAIRS,
        row_name="variant",
        style="decimal",
    ),
    Layout(
        "selfmea2022",
        "Table 1",
        _SELFMEA,
        "bilingual datasets",
        (
            RowGroup(
                "",
                _methods(
                    *("KECG", "HMAN", "GCN-JE", "GMN", "AliNet", "RKDEA", "EVA", "SelfKG"),
                    "SelfMEA",
                ),
            ),
        ),
        ("dbp15k-fr-en", "dbp15k-ja-en", "dbp15k-zh-en"),
        _RANKS,
        style="decimal",
        measured_ratio=0.4,
    ),
)

REPEATED_RUNS = Layout(
    "crossea2025",
    "Table 6",
    _CROSSEA,
    "F1 of ten runs of CrossEA and of the second best method, for a significance test",
    (),
    ("nmmea",),
    ("f1",),
    style="decimal",
)
"""The one table of repeated runs; its numbers stand in a file of their own."""
