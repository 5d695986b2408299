"""Text made safe for a format."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from mmea_bench.results.core.safe_text import guarded, plain

_MATH: Mapping[str, str] = MappingProxyType(
    {
        "±": "pm",
        "×": "times",
        "÷": "div",
        "·": "cdot",
        "−": "-",
        "≤": "leq",
        "≥": "geq",
        "≠": "neq",
        "≈": "approx",
        "∞": "infty",
        "∈": "in",
        "∅": "emptyset",
        "√": "surd",
        "∑": "sum",
        "→": "rightarrow",
        "←": "leftarrow",
        "↔": "leftrightarrow",
        "↑": "uparrow",
        "↓": "downarrow",
        "⇒": "Rightarrow",
        "⇔": "Leftrightarrow",
        "¬": "neg",
    }
)
_RAISED: Mapping[str, str] = MappingProxyType(
    {"†": r"\dagger", "‡": r"\ddagger", "•": r"\bullet", "°": r"\circ", "⋆": r"\star"}
)
_GREEK = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"),
    *("lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi"),
    *("omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi"),
    *("Psi", "Omega"),
)


_NO_LIGATURE = "\u2060"


def _greek(name: str) -> str:
    case = "CAPITAL" if name[0].isupper() else "SMALL"
    # Unicode spells this letter without its b.
    word = name.upper().replace("LAMBDA", "LAMDA")
    return unicodedata.lookup(f"GREEK {case} LETTER {word}")


_LATEX: Mapping[str, str] = MappingProxyType(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        # A row that starts with a bracket would be read as an option of the line break above.
        "[": "{[}",
        "]": "{]}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        # A straight double quote needs a font encoding that not every paper loads.
        '"': "''",
        "“": "``",
        "”": "''",
        "„": "''",
        "‘": "`",
        "’": "'",
        "«": "''",
        "»": "''",
        "–": "--",
        "—": "---",
        "‐": "-",
        "‑": "-",
        "…": r"\ldots{}",
        "§": r"\S{}",
        "¶": r"\P{}",
        "ß": r"\ss{}",
        "æ": r"\ae{}",
        "Æ": r"\AE{}",
        "œ": r"\oe{}",
        "Œ": r"\OE{}",
        "ø": r"\o{}",
        "Ø": r"\O{}",
        "ł": r"\l{}",
        "Ł": r"\L{}",
        "ı": r"\i{}",
        "đ": "d",
        "Đ": "D",
        "⁄": "/",
        # Behind a question or exclamation mark it would turn that upside down.
        "`": "{}`",
        _NO_LIGATURE: "{}",
        **{sign: f"$\\{name}$" if name.isalpha() else f"${name}$" for sign, name in _MATH.items()},
        **{sign: f"$^{{{name}}}$" for sign, name in _RAISED.items()},
        **{_greek(name): f"$\\{name}$" for name in _GREEK},
    }
)
_ACCENTS: Mapping[str, str] = MappingProxyType(
    {
        "\u0300": "`",
        "\u0301": "'",
        "\u0302": "^",
        "\u0303": "~",
        "\u0304": "=",
        "\u0306": "u",
        "\u0307": ".",
        "\u0308": '"',
        "\u030a": "r",
        "\u030b": "H",
        "\u030c": "v",
        "\u0323": "d",
        "\u0327": "c",
        "\u0331": "b",
    }
)
_SHIFTED: Mapping[str, str] = MappingProxyType({"<super>": "^", "<sub>": "_"})
_INVISIBLE = ("Cc", "Cf", "Cn", "Co", "Cs", "Mn", "Me")


def latex(text: str) -> str:
    """Text that LaTeX prints as it stands, in plain ASCII.

    A letter that the standard fonts lack stands as its code point, such as (U+65B9).
    """
    # A letter and its accent may be two characters, as in names of files.
    text = unicodedata.normalize("NFC", text)
    # Two hyphens, as in an option of the command line, would print as a dash.
    text = re.sub("-(?=-)", f"-{_NO_LIGATURE}", text)
    return " ".join("".join(_latex_letter(letter) for letter in text).split())


def latex_row(cells: Iterable[str]) -> str:
    """Escaped cells as a row of a table; a star at its start is no option of the break above."""
    row = " & ".join(cells)
    return f"{{*}}{row[1:]}" if row.startswith("*") else row


def _latex_letter(letter: str) -> str:
    if letter in _LATEX:
        return _LATEX[letter]
    if letter.isascii():
        return letter if letter.isprintable() or letter.isspace() else ""
    if letter.isspace():
        return " "
    if unicodedata.category(letter) in _INVISIBLE:
        return ""
    kind, plain = _decomposed(letter)
    if kind == "accented" and (accents := [_ACCENTS[mark] for mark in plain if mark in _ACCENTS]):
        return _accented(plain[0], accents)
    if kind in _SHIFTED and plain.isascii() and plain.isalnum():
        return f"${_SHIFTED[kind]}{{{plain}}}$"
    if plain:
        return "".join(_latex_letter(part) for part in plain)
    return f"(U+{ord(letter):04X})"


def _accented(letter: str, accents: Sequence[str]) -> str:
    """A letter under its accents, the innermost first."""
    # Accents above i and j stand on letters without a dot.
    is_under = all(accent in "cbd" for accent in accents)
    text = letter if letter not in "ij" or is_under else rf"\{letter}"
    for accent in accents:
        text = rf"\{accent}{{{text}}}"
    return text


def _decomposed(letter: str) -> tuple[str, str]:
    """How Unicode takes a letter apart: the kind, and plainer letters or nothing."""
    nfd = unicodedata.normalize("NFD", letter)
    if len(nfd) > 1 and nfd[0].isascii() and nfd[0].isalpha():
        return "accented", nfd
    kind = unicodedata.decomposition(letter).partition(" ")[0]
    plain = unicodedata.normalize("NFKD", letter)
    return (kind, plain) if plain != letter else ("", "")


def markdown(text: str) -> str:
    """Text that Markdown prints as it stands, also inside a table."""
    escaped = re.sub(r"([\\`*_\[\]<>|~]|&(?=#?\w+;))", r"\\\1", plain(text))
    # In front of a blank these would begin a heading or an item.
    return re.sub(r"^([#+-]|\d+[.)])(?= )", _last_letter_escaped, " ".join(escaped.split()))


def _last_letter_escaped(start: re.Match[str]) -> str:
    return f"{start[0][:-1]}\\{start[0][-1]}"


def spreadsheet(text: str) -> str:
    """Text that a spreadsheet shows as it stands, and never runs as a formula; numbers stay."""
    try:
        float(text)
    except ValueError:
        return guarded(plain(text))
    return text
