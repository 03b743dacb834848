"""What every page is made of: the whole document with its style, tables, pictures, numbers. Values in, HTML out."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from gr2st import __version__

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
LONG = 1500
"""Characters above which a value is folded."""
STYLE = """
:root { color-scheme: light; background: #fff; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 62rem; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .28rem .7rem .28rem 0; border-bottom: 1px solid #ddd; vertical-align: top; }
th { border-bottom: 2px solid #888; } td.n, th.n { text-align: right; } td.n { white-space: nowrap; }
td:first-child { min-width: 6.5rem; }
.dim { color: #666; } .whole { white-space: nowrap; } .small { font-size: .85rem; }
.warnings { border-left: 5px solid #D55E00; background: #fdf3ec; padding: .5rem 1rem; margin: 1rem 0; }
.warnings p { margin: .4rem 0; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 2rem; }
figure { margin: .8rem 0; } figcaption { color: #444; margin-bottom: .8rem; }
figure.single { display: inline-block; width: 46%; min-width: min(20rem, 100%); margin-right: 3%; }
img { width: 100%; max-width: 50rem; } code, pre { font-size: .85rem; background: #f4f4f4; }
pre { padding: .7rem; white-space: pre-wrap; overflow-wrap: anywhere; }
td { overflow-wrap: break-word; } td code { overflow-wrap: anywhere; }
@media print { body { margin: 0; max-width: none; font-size: 11pt; orphans: 1; widows: 1; }
  p { orphans: 2; widows: 2; } h2, h3, h2 + p { break-after: avoid; }
  tr, figure, img, .warnings { break-inside: avoid; } .two { gap: 1rem; } .table { overflow: visible; }
  .map img { width: auto; max-width: 100%; max-height: 6.4cm; } }
"""


def document(title: str, parts: Iterable[str]) -> str:
    """A page that needs nothing beside it: no network, no script."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + f'\n<p class="dim small">Written by gr2st {__version__}.</p>\n</body>\n</html>\n'
    )


def table(names: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Rows of HTML under names; columns of `numbers` stand to the right. On a page too narrow it is scrolled alone."""

    def cells(kind: str, texts: Sequence[str]) -> str:
        return "".join(
            f'<{kind} class="n">{text}</{kind}>' if place in numbers else f"<{kind}>{text}</{kind}>"
            for place, text in enumerate(texts)
        )

    head = f"<thead><tr>{cells('th', names)}</tr></thead>" if names else ""
    body = "".join(f"<tr>{cells('td', row)}</tr>\n" for row in rows)
    return f'<div class="table"><table>{head}<tbody>{body}</tbody></table></div>'


def said(sentences: Sequence[str]) -> str:
    """What a reader must know before the numbers, `commands` in their own letters; nothing where there is nothing."""
    if not sentences:
        return ""
    texts = (re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)) for text in sentences)
    return '<div class="warnings">' + "".join(f"<p>{text}</p>" for text in texts) + "</div>"


def pictures(figures: Sequence[Figure], text: str) -> str:
    """Drawings one below the other, inside the page."""
    return "\n".join(f'<figure><img alt="{escape(text)}" src="{inline(figure)}"></figure>' for figure in figures)


def inline(figure: Figure, kind: Literal["png", "jpeg"] = "png", **options: Any) -> str:
    """A figure as the source of an image; JPEG suits photographs."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def number(value: float | None) -> str:
    """Three digits, a dash where there is no value."""
    return DASH if value is None or pd.isna(value) else f"{value:z.3f}".replace("-", MINUS)


def fields(entries: Mapping[str, Any]) -> str:
    """Names and values, a line each."""
    return "<br>".join(f"{escape(name)} {code(value)}" for name, value in entries.items())


def code(value: Any) -> str:
    """A value as it would stand in a file; a long one, as a list of genes, is folded, and then not printed."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    written = f"<code>{escape(text)}</code>"
    if len(text) <= LONG:
        return written
    return f"<details><summary>{len(text):,} characters</summary>{written}</details>"
