r"""Numbers of a LaTeX column, padded so that their decimal points stand below each other.

Every cell of a column is made equally wide: missing digits, spreads and marks are there as
``\phantom``, so a centred column aligns its points without a package.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mmea_bench.reports.core.document import Cell
from mmea_bench.reports.formats import escape

# Bold digits stick out a little to the right, into the wider space.
_SPREAD = r"\enspace$\pm$ "
_MINUS = "$-$"
_EXPONENT = re.compile(r"e([+-]?)0*(\d+)$")
_DIGITS = re.compile(r"(\.\d+)?")


@dataclass(frozen=True)
class _Number:
    """A number as LaTeX: what stands before the decimal point, and the rest with the point."""

    sign: str = ""
    whole: str = ""
    rest: str = ""

    @classmethod
    def of(cls, text: str) -> _Number:
        sign = _MINUS if text.startswith("-") else ""
        whole, point, digits = text.removeprefix("-").partition(".")
        if exponent := _EXPONENT.search(digits):
            power = exponent[1].removeprefix("+") + exponent[2]
            return cls(sign, whole, f".{digits[: exponent.start()]}$\\times10^{{{power}}}$")
        if not point and not whole.replace(",", "").isdecimal():
            return cls(rest=escape.latex(text))
        return cls(sign, whole, escape.latex(point + digits))

    @property
    def text(self) -> str:
        return self.sign + self.whole + self.rest


@dataclass(frozen=True)
class _Widest:
    """The widest parts that the cells of a column have."""

    mean: _Number
    sd: _Number
    marks: str

    @classmethod
    def of(cls, cells: Sequence[Cell]) -> _Widest:
        numbers = [cell for cell in cells if cell.mean is not None]
        return cls(
            _widest([_Number.of(cell.mean_text) for cell in numbers]),
            _widest([_Number.of(cell.sd_text) for cell in numbers if cell.sd is not None]),
            max(("".join(cell.marks) for cell in numbers), key=len, default=""),
        )


def latex_column(cells: Sequence[Cell]) -> list[str]:
    """The cells of one column from top to bottom."""
    widest = _Widest.of(cells)
    return [_latex_cell(cell, widest) for cell in cells]


def _latex_cell(cell: Cell, widest: _Widest) -> str:
    if cell.mean is None:
        return escape.latex(cell.text + "".join(cell.marks))
    mean = _Number.of(cell.mean_text)
    after = _after(mean, widest.mean)
    return _before(mean, widest.mean) + _emphasised(cell, mean) + _tail(cell, widest, after)


def _emphasised(cell: Cell, mean: _Number) -> str:
    if cell.is_best:
        whole = mean.sign + mean.whole
        return rf"\mmeabest{f'[{whole}]' if whole else ''}{{{mean.rest}}}"
    return rf"\underline{{{mean.text}}}" if cell.is_second else mean.text


def _tail(cell: Cell, widest: _Widest, after: str) -> str:
    """Spread and marks, with empty space where this cell lacks what others have.

    Args:
        cell: The cell.
        widest: What its column needs.
        after: Empty space behind the mean.
    """
    marks = escape.latex("".join(cell.marks))
    # Marks take no space of their own: the column keeps as much as its widest marks need.
    shown = rf"\rlap{{{marks}}}" if marks else ""
    space = escape.latex(widest.marks)
    if cell.sd is None:
        spread = widest.sd.text
        return shown + _phantom(after + (_SPREAD + spread if spread else "") + space)
    sd = _Number.of(cell.sd_text)
    number = _before(sd, widest.sd) + sd.text
    return _phantom(after) + _SPREAD + number + shown + _phantom(_after(sd, widest.sd) + space)


def _before(number: _Number, widest: _Number) -> str:
    """Empty space before a number, so that its decimal point stands where that of others does."""
    sign = widest.sign if not number.sign else ""
    missing = max(0, len(widest.whole) - len(number.whole))
    return _phantom(sign + widest.whole[:missing])


def _after(number: _Number, widest: _Number) -> str:
    """What would have to stand behind a number to make it as wide as others."""
    if _DIGITS.fullmatch(number.rest) and _DIGITS.fullmatch(widest.rest):
        missing = "0" * (len(widest.rest) - max(len(number.rest), 1))
        return missing if number.rest or not widest.rest else f".{missing}"
    if re.sub(r"\d", "0", number.rest) == re.sub(r"\d", "0", widest.rest):
        return ""
    # Words and powers of ten have no digits to count: as wide as the widest, less its own width.
    return rf"{widest.rest}\sbox0{{{number.rest}}}\kern-\wd0"


def _phantom(text: str) -> str:
    return rf"\phantom{{{text}}}" if text else ""


def _widest(numbers: Sequence[_Number]) -> _Number:
    sign = max((number.sign for number in numbers), key=len, default="")
    whole = max((number.whole for number in numbers), key=len, default="")
    rest = max((number.rest for number in numbers), key=len, default="")
    # Commas between thousands stay, so that they take their own space.
    return _Number(sign, re.sub(r"\d", "0", whole), rest)
