"""Small pieces of HTML: tables, numbers and figures that lie inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"


def table(names: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """A table under these names, none where they are empty; columns in `numbers` stand to the right."""

    def cells(kind: str, texts: Sequence[str]) -> str:
        return "".join(
            f'<{kind} class="n">{text}</{kind}>' if place in numbers else f"<{kind}>{text}</{kind}>"
            for place, text in enumerate(texts)
        )

    head = f"<thead><tr>{cells('th', names)}</tr></thead>" if names else ""
    return f"<table>{head}<tbody>" + "".join(f"<tr>{cells('td', row)}</tr>\n" for row in rows) + "</tbody></table>"


def pictures(figures: Sequence[Figure], text: str) -> str:
    """Figures below each other, whole in the page; `text` is what is read out in their place."""
    return "\n".join(f'<figure><img alt="{escape(text)}" src="{_inline(figure)}"></figure>' for figure in figures)


def _inline(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def number(value: float | None) -> str:
    """Three places, or a dash where there is no number."""
    return DASH if value is None or pd.isna(value) else f"{value:.3f}".replace("-", MINUS)
