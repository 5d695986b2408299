r"""LaTeX fragments as PDF files, where a TeX is installed; equal fragments give equal bytes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT_S = 120
_LOG_LINES = 6

PAPER_WIDTH = "16cm"
"""Width of the text of a two-column conference paper on A4."""

_WRAPPER = r"""\pdfinfoomitdate=1
\pdftrailerid{}
\pdfsuppressptexinfo=-1
\documentclass[10pt,twocolumn,a4paper]{article}
\usepackage{booktabs,graphicx}
\setlength{\textwidth}{%w}
\setlength{\columnsep}{0.6cm}
\setlength{\textheight}{24.7cm}
\setlength{\oddsidemargin}{-0.04cm}
\setlength{\topmargin}{-1.9cm}
\pagestyle{empty}
% A report may hold more tables than a page of text carries.
\extrafloats{500}
\renewcommand{\topfraction}{0.95}
\renewcommand{\dbltopfraction}{0.95}
\setcounter{topnumber}{9}
\setcounter{dbltopnumber}{9}
% Pages of tables alone are filled from the top.
\makeatletter
\setlength{\@fptop}{0pt}\setlength{\@dblfptop}{0pt}
\setlength{\@fpsep}{24pt}\setlength{\@dblfpsep}{24pt}
\makeatother
\begin{document}
%s
\end{document}
"""


@dataclass(frozen=True)
class Compiled:
    """What came out of LaTeX.

    Attributes:
        pdf: Bytes of the PDF file; None if LaTeX stopped.
        log: Its log, unwrapped where it names problems.
    """

    pdf: bytes | None
    log: str

    @property
    def overfull(self) -> list[str]:
        """Lines of the log about boxes that stick out."""
        return [line for line in self.log.splitlines() if line.startswith("Overfull")]

    @property
    def errors(self) -> list[str]:
        """Lines of the log about errors, such as unknown commands."""
        return [line for line in self.log.splitlines() if line.startswith("!")][:_LOG_LINES]


def find_pdflatex() -> str | None:
    """Path of pdflatex, None where there is none."""
    return shutil.which("pdflatex")


def standalone(fragment: str, text_width: str = PAPER_WIDTH) -> str:
    """A fragment as a document of its own, without dates and other marks of the moment.

    Args:
        fragment: What ``render_latex`` returned.
        text_width: Width of the two columns together, as a LaTeX length.
    """
    return _WRAPPER.replace("%w", text_width).replace("%s", fragment)


def compile_pdf(fragment: str, pdflatex: str, text_width: str = PAPER_WIDTH) -> Compiled:
    """Runs LaTeX on a fragment in an empty folder.

    Args:
        fragment: What ``render_latex`` returned.
        pdflatex: Path of the program.
        text_width: Width of the two columns together, as a LaTeX length.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tables.tex").write_text(standalone(fragment, text_width), encoding="utf-8")
        command = [pdflatex, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape"]
        # A fixed time, for what the wrapper's own switches do not reach.
        env = {**os.environ, "SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1"}
        try:
            subprocess.run(  # noqa: S603 - a fixed command on a file of our own
                [*command, "tables.tex"],
                cwd=folder,
                env=env,
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Compiled(None, f"! pdflatex took longer than {_TIMEOUT_S} s")
        log = folder / "tables.log"
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else "! no log"
        pdf = folder / "tables.pdf"
        is_whole = pdf.exists() and not re.search(r"^!", text, re.MULTILINE)
        return Compiled(pdf.read_bytes() if is_whole else None, text)
