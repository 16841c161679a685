"""A grading as one HTML file: no scripts, nothing from the network, readable by a screen reader, in light and in dark.

All that a submission wrote goes through `text.plain` and then through jinja2's escaping, by the environment and not by the template's
author; the page forbids scripts and any style but its own by a Content-Security-Policy.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from grader.report import text
from grader.results import GradeResult, State

_TEMPLATE: Final = "report.html.jinja"
_STYLE: Final = "report.css"


def render_html(result: GradeResult) -> str:
    """The whole page, as the student may see it."""
    environment = _environment()
    style, _, _ = environment.loader.get_source(environment, _STYLE) if environment.loader else ("", None, None)
    # The hash allows this one style sheet; a style that text smuggled in would not have it.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template(_TEMPLATE).render(
        result=result.for_student(),
        style=Markup(style),
        policy=Markup(f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"),
        looks=text.LOOKS,
        closing=text.closing_lines(result),
        State=State,
    )


def write_html(result: GradeResult, file: Path) -> None:
    """Writes the page to a file, in UTF-8."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # Not the platform's line ends: the style sheet's hash is over what the browser reads.
    file.write_text(render_html(result), encoding="utf-8", newline="\n")


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("grader.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Every value that the template prints comes through here, so none can be forgotten.
        finalize=_harmless,
    )
    environment.filters |= {"one_line": text.one_line, "points": text.number}
    environment.globals |= {"headline": text.headline, "score": text.score, "section_score": text.section_score}
    return environment


def _harmless(value: object) -> object:
    return value if isinstance(value, Markup) else text.plain(str(value))
