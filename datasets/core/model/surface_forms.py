"""The name inside a URI."""

from __future__ import annotations

import re
from urllib.parse import unquote

_OPAQUE = re.compile(r"^(/?[mg][/.][0-9a-z_]+|[QPL][0-9]+)$")


def surface_form(uri: str) -> str:
    """The human-readable name inside a URI; empty where the URI is an opaque id.

    The local part is what follows ``/resource/`` (names such as ``AC/DC`` keep their slash), else
    what follows the last ``#`` or ``/``. It is percent-decoded, underscores become spaces.
    Freebase mids (``/m/0abc``, ``m.0abc``) and Wikidata ids (``Q42``) say nothing and give "".
    Text that is no URI at all, such as ``Elizabeth_II``, is its own local part.

    Args:
        uri: Entity URI without angle brackets.
    """
    local = uri
    if "/resource/" in uri:
        local = uri.split("/resource/", 1)[1]
    elif "://" in uri:
        local = re.split(r"[#/]", uri.rstrip("/#"))[-1]
    if _OPAQUE.match(local):
        return ""
    try:
        decoded = unquote(local, errors="strict")
    except UnicodeDecodeError:
        decoded = local
    return " ".join(decoded.replace("_", " ").split())
