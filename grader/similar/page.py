"""Pairs side by side, as one HTML page without scripts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from grader.report.text import one_line, plain
from grader.similar.compare import Pair

_STYLE: Final = "similar.css"


def render_pairs(pairs: Sequence[Pair], *, compared: int) -> str:
    """The page.

    Args:
        pairs: The pairs to show.
        compared: How many submissions were compared.

    Returns:
        HTML; everything that students wrote is escaped.
    """
    environment = Environment(
        loader=PackageLoader("grader.similar", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style, _, _ = environment.loader.get_source(environment, _STYLE) if environment.loader else ("", None, None)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment.filters |= {"one_line": one_line}
    return environment.get_template("similar.html.jinja").render(
        pairs=pairs,
        compared=compared,
        pieces=_pieces,
        style=Markup(style),
        policy=Markup(f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"),
    )


def _pieces(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[bool, str]]:
    """A text in pieces, each with whether it is shared."""
    last = 0
    for start, end in spans:
        if last < start:
            yield False, plain(text[last:start])
        yield True, plain(text[start:end])
        last = end
    if last < len(text):
        yield False, plain(text[last:])
