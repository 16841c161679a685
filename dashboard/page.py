"""The charts as one HTML file: no server, nothing from the network, and no script that is not the page's own.

Vega's libraries come out of the package vl-convert and stand in the page. A Content-Security-Policy with the hashes of its two scripts and
its style sheet forbids all others, and Vega's expressions are interpreted instead of compiled, so that none has to be evaluated.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import altair as alt
import pandas as pd
import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from dashboard.figure import Figure
from grader.errors import ResultsError
from grader.report import text
from grader.results import GradeResult, State

_DRAW: Final = """
const specs = JSON.parse(document.getElementById("specs").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
function colours() {
  const ink = dark.matches ? "#d4d7dc" : "#333333", line = dark.matches ? "#454a52" : "#dddddd";
  const axis = {labelColor: ink, titleColor: ink, gridColor: line, domainColor: ink, tickColor: ink, labelFontSize: 12, titleFontSize: 12};
  return {background: "transparent", view: {stroke: null}, axis, legend: {labelColor: ink, titleColor: ink, labelFontSize: 12}};
}
async function draw() {
  for (const [name, spec] of Object.entries(specs)) {
    await vegaEmbed(document.getElementById("chart-" + name), spec, {
      ast: true, renderer: "svg", config: colours(), defaultStyle: false, tooltip: {disableDefaultStyle: true},
      actions: {export: true, source: false, compiled: false, editor: false}, downloadFileName: name,
    });
  }
  document.documentElement.dataset.drawn = "yes";
}
dark.addEventListener("change", draw);
draw();
"""


@dataclass(frozen=True)
class Picture:
    """A picture on the page.

    Attributes:
        caption: What it shows.
        alt: The same for those who do not see it.
        image: The picture.
    """

    caption: str
    alt: str
    image: Image.Image

    @property
    def source(self) -> Markup:
        """The picture as a `data:` address."""
        buffer = io.BytesIO()
        self.image.save(buffer, "PNG")
        return Markup("data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode())


@dataclass(frozen=True)
class Table:
    """A table on the page.

    Attributes:
        caption: What it shows.
        frame: Its rows.
    """

    caption: str
    frame: pd.DataFrame

    @property
    def columns(self) -> list[str]:
        """The column's heads."""
        return [str(name) for name in self.frame.columns]

    @property
    def rows(self) -> list[list[str]]:
        """The cells, numbers rounded to what a person reads."""
        return [[_cell(value) for value in row] for row in self.frame.itertuples(index=False)]


@dataclass(frozen=True)
class Part:
    """A part of the page, with a heading.

    Attributes:
        title: The heading.
        figures: Its charts.
        pictures: Its pictures.
        tables: Its tables.
        lines: Sentences before them.
    """

    title: str
    figures: Sequence[Figure] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    lines: Sequence[str] = field(default_factory=tuple)


def render(title: str, parts: Sequence[Part], *, grade: GradeResult | None = None) -> str:
    """The whole page.

    Args:
        title: Its heading.
        parts: What is on it; parts with nothing in them are left out.
        grade: A grade whose checks are listed with their feedback.
    """
    figures = [figure for part in parts for figure in part.figures]
    names = [figure.name for figure in figures]
    if len(names) != len(set(names)):
        raise ValueError(f"Expected figures of different names, received {names}.")
    environment = _environment()
    loader = environment.loader
    style = loader.get_source(environment, "page.css")[0] if loader else ""
    bundle = _bundle()
    policy = (
        f"default-src 'none'; img-src data: blob:; script-src {_hash(bundle)} {_hash(_DRAW)}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return environment.get_template("page.html.jinja").render(
        title=title,
        parts=[part for part in parts if part.figures or part.pictures or part.tables or part.lines],
        grade=grade,
        specs=Markup(_json({figure.name: _spec(figure) for figure in figures})),
        style=Markup(style),
        bundle=Markup(bundle),
        draw=Markup(_DRAW),
        policy=Markup(policy),
        looks=text.LOOKS,
        State=State,
    )


def write(file: Path, page: str) -> None:
    """Writes the page.

    Raises:
        ResultsError: It cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Not the platform's line ends: the hashes are over what the browser reads.
        file.write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ResultsError(f"{file} cannot be written ({error.strerror}); name another file with -o.") from error


@functools.cache
def _bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script; no `</script` in it may end the page's own."""
    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    # Its stub asks for a snippet, but without one the bundle gives `vegaEmbed` to the page.
    bundle = vl_convert.javascript_bundle(vl_version=version)  # type: ignore[call-arg]
    return str(bundle).replace("</script", "<\\/script")


def _spec(figure: Figure) -> dict[str, Any]:
    # Altair's limit of 5,000 rows is there to keep notebooks small; results may hold more, and have a limit of their own.
    with alt.data_transformers.disable_max_rows():
        spec: dict[str, Any] = figure.chart.properties(width="container").to_dict()
    return spec | {"autosize": {"type": "fit-x", "contains": "padding"}, "description": text.one_line(figure.alt)}


def _json(document: Any) -> str:
    # As html5lib and Django do it: nothing in a text can end the script element or open a comment.
    return json.dumps(document, allow_nan=False).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.4g}"
    return "" if value is None else text.one_line(str(value))


def _csv(figure: Figure) -> Markup:
    return Markup("data:text/csv;charset=utf-8;base64," + base64.b64encode(figure.csv()).decode())


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Every value that the template prints comes through here, so none can be forgotten.
        finalize=lambda value: value if isinstance(value, Markup) else text.plain(str(value)),
    )
    environment.filters |= {"one_line": text.one_line, "csv": _csv}
    environment.globals |= {
        "headline": text.headline,
        "score": text.score,
        "section_score": text.section_score,
        "closing_lines": text.closing_lines,
    }
    return environment
