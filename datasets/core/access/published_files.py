"""Published addresses of the files of each dataset, for ``data fetch``.

What is known about them:

* MMKB: the text files lie in the repository ``mniepert/mmkb`` (BSD-3-Clause; archived as
  doi:10.5281/zenodo.1245698), the 4,096-d VGG-16 features behind the links of its README.
  The publisher gives no checksums. A SHA-256 is recorded where a trusted copy agreed with a
  stored version of the published file (of a fork for the relation triples of YAGO15K) in length
  and in the parts that were compared. The others (relation triples of FB15K and DB15K, numerical
  triples of DB15K and YAGO15K, image indices of DB15K and YAGO15K, features) were seen only in
  another form or not at all, so they carry none.
* DBP15K: the graphs, links and translated names lie in the repository ``lzxlin/MCLEA`` (MIT) and
  carry the SHA-256 of copies from it. The folder inside the repository follows the layout that
  READMEs of the field print; it was not possible to list that folder here. The attribute names
  and the ResNet-152 features lie on cloud drives that need a browser and carry no checksum; their
  folders inside EVA's drive are those of the MEAformer archive, and were not seen either.
* None of the addresses was downloaded when this table was written. A wrong address ends in a
  sentence, a wrong file in a checksum error; content is compared with the published counts by
  ``data check`` in every case.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mmea_bench.datasets.core.access.base import RemoteFile

_MMKB = "https://raw.githubusercontent.com/mniepert/mmkb/master"
_MCLEA = "https://raw.githubusercontent.com/lzxlin/MCLEA/main/data/DBP15K"

# Relative path in the MMKB repository -> (SHA-256, bytes) of a copy that agreed with it.
_MMKB_KNOWN: Mapping[str, tuple[str, int]] = {
    "FB15K/FB15K_NumericalTriples.txt": (
        "9fd4f2dfe95af2bc4caa6ce1db84641168f42be759217dfbfcf95ca79d5aa0f3",
        2268853,
    ),
    "FB15K/FB15K_ImageIndex.txt": (
        "3e7e2be4f8f801d0cfc57ab7fcbb537ffe3d26212f17383c4091c19686f76940",
        279298,
    ),
    "DB15K/DB15K_SameAsLink.txt": (
        "329f13f5834eff712ab7fcaa214407d3f48bcaa9b6c48e5fcae632994e070141",
        875463,
    ),
    "YAGO15K/YAGO15K_EntityTriples.txt": (
        "a3cd0d87ceedd3f00cd8941b3c338e896c7529a78c7ce22afff0eaefb3c53211",
        19399315,
    ),
    "YAGO15K/YAGO15K_SameAsLink.txt": (
        "a32768251e35fc199aebd1087bd8fac25cc4fe79a8167811f58ae86b2d35bb8f",
        839906,
    ),
}

# Links of the README of mniepert/mmkb; `dl=1` asks for the file instead of its web page.
_VGG16_FEATURES: Mapping[str, str] = {
    "FB15K": "https://www.dropbox.com/s/acsaog6qxy1kgpu/FB15K_ImageData.h5?dl=1",
    "DB15K": "https://www.dropbox.com/s/rfl27sqpet7wyb3/DB15K_ImageData.h5?dl=1",
    "YAGO15K": "https://www.dropbox.com/s/8062amzsspx2d6b/YAGO15K_ImageData.h5?dl=1",
}

_DBP15K_KNOWN: Mapping[str, tuple[str, int]] = {
    "zh_en/ent_ids_1": (
        "6d230db7922b58f6fe31fb75b478d5edcbb3cc7d3f76763b5af8232ff1940082",
        1065081,
    ),
    "zh_en/ent_ids_2": (
        "68d7cccc5334881d386094df3e4f9af479eedf3161ed00ec4d06e0685d510f69",
        1015460,
    ),
    "zh_en/ill_ent_ids": (
        "f6fc5f4b4c162eb21119697561b38686c48935222c11d07f08edc6efc5414507",
        168890,
    ),
    "zh_en/triples_1": (
        "5bd1df6af7b51a0bc1111809c980364455e42f2cc27946cd664861f0d95aafcb",
        1036776,
    ),
    "zh_en/triples_2": (
        "bbab07e5d97247221d742a7ab4e14c20ffdb3125667b2bac2b317a714a07bc48",
        1617414,
    ),
    "ja_en/ent_ids_1": (
        "c0163c3e4d1a1173fde4941c6c3752e659ff54c50149fbe8776e10c78077f1ad",
        1289100,
    ),
    "ja_en/ent_ids_2": (
        "b6e8aa468861daa932f5bbb50c4743273418331839543de8889b13cc267a84a2",
        1039183,
    ),
    "ja_en/ill_ent_ids": (
        "60edbd1d05d65e80cc81957eb6efa06fa53901a2a3042cfb0a115abccb2dff91",
        168890,
    ),
    "ja_en/triples_1": (
        "5c9396f4bc18f62f395bdea897228285be85f3590d89c336739877d7fc0eeae5",
        1130201,
    ),
    "ja_en/triples_2": (
        "aeb66ed5e3dd1588f4d7e2cae50bc930794dbc29063f71365242c924ae27c2d6",
        1589228,
    ),
    "fr_en/ent_ids_1": (
        "8c5c96ba6ef3b3a7791f2ee33e0a779049e4fee36aac77c813814964a23b4401",
        1090813,
    ),
    "fr_en/ent_ids_2": (
        "9e14e2ae75c45d18fc1fd310657dfd2b84925e625ceb89f96b7775f6218e042c",
        1054317,
    ),
    "fr_en/ill_ent_ids": (
        "ba1c4b07e67ab2581d6ca11038e9f527b08666fe5bedad3a95cb7f61579a3c64",
        168890,
    ),
    "fr_en/triples_1": (
        "318c50b356055ccfdbb98d6733ecb8213b3f0ee8f2222cd9733e2d6ef04f5718",
        1523662,
    ),
    "fr_en/triples_2": (
        "38508926b2e93dae9bb9b066e308cbb11545e62fa93239b574b53f496aeb2f1c",
        1953614,
    ),
    "translated_ent_name/dbp_zh_en.json": (
        "d187deebecf6406527b3a15757e93a782ec7de25e05872e54c1e59d1949424fd",
        1415538,
    ),
    "translated_ent_name/dbp_ja_en.json": (
        "d5b6501885f5184d25bd0ebcab6e689cd295c8ac8efd1c7aef113ba56c72428e",
        1472714,
    ),
    "translated_ent_name/dbp_fr_en.json": (
        "9a76ccc43353f9e8e27c214d6fef401de866dbda751d39c176470adc5cce35c0",
        1483405,
    ),
}

_EVA_FOLDER = "https://www.dropbox.com/sh/5jteio17gfzp3xc/AACeXmsMEYts0O5_0Cuva7lPa?dl=0"
_MEAFORMER_ARCHIVE = "https://drive.google.com/file/d/1VIWcc3KDcLcRImeSrF2AyhetBLq_gsnx/view"


def _mmkb_text(path: str) -> RemoteFile:
    sha256, n_bytes = _MMKB_KNOWN.get(path, ("", 0))
    return RemoteFile(f"mmkb/{path}", f"{_MMKB}/{path}", sha256, n_bytes)


def _vgg16_features(graph: str) -> RemoteFile:
    url = _VGG16_FEATURES[graph]
    page = url.replace("dl=1", "dl=0")
    return RemoteFile(
        f"mmkb/{graph}/{graph}_ImageData.h5",
        url,
        instructions=(
            f"If the download does not start, open {page} in a browser (it is linked from the "
            f"README of https://github.com/mniepert/mmkb), save {graph}_ImageData.h5 at the path "
            "above and run the same command again."
        ),
    )


def _mmkb_graph(graph: str) -> tuple[RemoteFile, ...]:
    kinds = ["EntityTriples", "NumericalTriples", "ImageIndex"]
    if graph != "FB15K":
        kinds.append("SameAsLink")
    texts = tuple(_mmkb_text(f"{graph}/{graph}_{kind}.txt") for kind in kinds)
    return (*texts, _vgg16_features(graph))


def _dbp15k_text(path: str) -> RemoteFile:
    return RemoteFile(f"dbp15k/{path}", f"{_MCLEA}/{path}", *_DBP15K_KNOWN[path])


def _dbp15k_by_browser(path: str, inside: str) -> RemoteFile:
    return RemoteFile(
        f"dbp15k/{path}",
        instructions=(
            f"This file lies on a cloud drive. Open {_EVA_FOLDER} (linked from the README of "
            f"https://github.com/cambridgeltl/eva) in a browser and download `{inside}`; where "
            f"that fails, the archive at {_MEAFORMER_ARCHIVE} (linked from the README of "
            f"https://github.com/zjukg/MEAformer, 1.26 GB) holds it as `mmkg/{inside}`. Put it "
            "at the path above and run the same command again."
        ),
    )


def _dbp15k(pair: str) -> tuple[RemoteFile, ...]:
    names = ("ent_ids_1", "ent_ids_2", "ill_ent_ids", "triples_1", "triples_2")
    graphs = tuple(_dbp15k_text(f"{pair}/{name}") for name in names)
    attributes = tuple(
        _dbp15k_by_browser(f"{pair}/{name}", f"DBP15K/{pair}/{name}")
        for name in ("training_attrs_1", "training_attrs_2")
    )
    pkl = f"pkls/{pair}_GA_id_img_feature_dict.pkl"
    names_of_entities = _dbp15k_text(f"translated_ent_name/dbp_{pair}.json")
    return (*graphs, names_of_entities, *attributes, _dbp15k_by_browser(pkl, pkl))


WORD_VECTORS = "glove-6b"
"""Name of the optional word vectors in ``PUBLISHED``; fetched only when named."""

PUBLISHED: Mapping[str, tuple[RemoteFile, ...]] = MappingProxyType(
    {
        "fb15k-db15k": (*_mmkb_graph("FB15K"), *_mmkb_graph("DB15K")),
        "fb15k-yago15k": (*_mmkb_graph("FB15K"), *_mmkb_graph("YAGO15K")),
        "dbp15k-zh-en": _dbp15k("zh_en"),
        "dbp15k-ja-en": _dbp15k("ja_en"),
        "dbp15k-fr-en": _dbp15k("fr_en"),
        WORD_VECTORS: (
            RemoteFile("embedding/glove.6B.zip", "https://nlp.stanford.edu/data/glove.6B.zip"),
        ),
    }
)
"""Published files by dataset address; FB15K stands in two of them, with equal entries."""
