"""The reports: what a student is told, in which order, and that nothing a submission wrote reaches a screen or a page as code."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from grader.lab import SECTIONS
from grader.report import text
from grader.report.html import render_html, write_html
from grader.report.terminal import TerminalReport
from grader.results import Cause, CheckResult, Feedback, GradeResult, State

FEEDBACK = Feedback(
    summary="The output has the wrong shape.",
    comparison=("expected (5, 64, 64, 3) float32", "actual   (5, 64, 64, 1) float32"),
    help="Greyscale must become three channels.",
    example="x = 1\ndecode_image(x)",
    where="assignment/data.py:42 decode_image",
    printed="hello from the submission",
)
PASSED = CheckResult("data/label_map", "Labels are line numbers", State.PASSED, 2, 2)
FAILED = CheckResult(
    "data/decode",
    "Greyscale becomes three channels",
    State.FAILED,
    4,
    0,
    cause=Cause.STUDENT_ERROR,
    feedback=FEEDBACK,
    command="lab grade assignment -k data/decode",
)
NOT_STARTED = CheckResult(
    "data/dataset", "Batches", State.NOT_STARTED, 4, 0, feedback=Feedback("", where="assignment/data.py:42 make_dataset")
)
COULD_NOT_RUN = CheckResult(
    "model/table",
    "The table of layers",
    State.COULD_NOT_RUN,
    4,
    0,
    cause=Cause.COULD_NOT_RUN,
    feedback=Feedback("not run, since model/build failed"),
)
UNDECIDED = CheckResult(
    "timing/online", "Online", State.UNDECIDED, 4, 0, cause=Cause.GRADER_FAULT, feedback=Feedback("the worker did not start")
)
PARTIAL = CheckResult("training/sweep", "The sweep", State.PARTIAL, 4, 1.5, cause=Cause.TIME_OUT, feedback=Feedback("half of it came"))
ALL = (PASSED, FAILED, NOT_STARTED, COULD_NOT_RUN, UNDECIDED, PARTIAL)

# Text as hostile as hypothesis can make it, with the pieces that break reports mixed in.
HOSTILE = st.lists(
    st.one_of(
        st.text(max_size=20),
        st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Zs", "Co"]),
        st.sampled_from(
            (
                *("<script>alert(1)</script>", "</style><script>", "</pre></main>", "-->", "&lt;", '" onload="x', "{{ 7*7 }}"),
                *("[bold red]", "[/]", "[link=x]", ":smile:", "\\", "\x1b[2J", "\x1b]8;;x\x07", "\x9b31m", "\u202e", "\r"),
                "data 20/20\n100/100\n",
            )
        ),
    ),
    max_size=6,
).map("".join)


def grade(*checks: CheckResult, official: bool = False, notes: tuple[str, ...] = (), submission: str = "assignment") -> GradeResult:
    """A grading with these checks."""
    return GradeResult(submission, "ab" * 32, checks, official, "0.1.0", "zygote", "2026-01-01T00:00:00Z", 3.2, notes)


def show(result: GradeResult, *, width: int = 80, live: bool = False, **console: object) -> str:
    """What the terminal report writes."""
    out = io.StringIO()
    report = TerminalReport(Console(file=out, width=width, highlight=False, **console))  # type: ignore[arg-type]
    with report:
        report.start(result.submission)
        for check in result.checks if live else ():
            report.check(check)
        report.finish(result)
    return out.getvalue()


def hostile_grade(words: str) -> GradeResult:
    """A grading in which everything that a submission can influence is these words."""
    feedback = Feedback(words, (words, words), words, words, words, words)
    checks = [
        CheckResult(f"{section}/{words}", words, state, 2, 0, cause=Cause.CRASH, feedback=feedback, command=words)
        for section, state in zip([*SECTIONS, "data"], State, strict=True)
    ]
    return replace(grade(*checks, notes=(words,), submission=words), isolation=words, digest=words)


def without_space(words: str) -> str:
    """Words without white space, so that wrapping does not matter."""
    return re.sub(r"\s+", "", words)


def test_feedback_comes_in_the_promised_order() -> None:
    """What is wrong, expected and actual, help, example, where, printed, and the command: in this order, with nothing of it left out."""
    for shown in (show(grade(FAILED)), render_html(grade(FAILED))):
        pieces = (FEEDBACK.summary, *FEEDBACK.comparison, FEEDBACK.help, FEEDBACK.example, FEEDBACK.where, FEEDBACK.printed, FAILED.command)
        places = [shown.find(piece) for piece in pieces]
        assert -1 not in places
        assert places == sorted(places)


def test_not_started_is_one_quiet_line() -> None:
    """A stub reads as not started with its place, without cause, traceback or command."""
    for shown in (show(grade(NOT_STARTED)), render_html(grade(NOT_STARTED))):
        assert "not started yet: assignment/data.py:42 make_dataset" in shown
        assert "error" not in shown
        assert "alone" not in shown


def test_not_started_without_a_place_says_what_is_missing() -> None:
    """Results that were not measured yet have no line in a source; their own sentence is shown, once."""
    missing = replace(NOT_STARTED, feedback=Feedback("not started yet: timings.json is not there yet."))
    assert text.headline(missing) == "not started yet: timings.json is not there yet."
    assert text.headline(replace(NOT_STARTED, feedback=None)) == "not started yet: data/dataset"


def test_example_can_be_pasted() -> None:
    """The example's lines are neither indented nor wrapped, however narrow the terminal is."""
    code = "decode_image(" + ", ".join(map(str, range(60))) + ")"
    check = replace(FAILED, feedback=replace(FEEDBACK, example=f"x = 1\n{code}"))
    assert f"\nx = 1\n{code}\n" in show(grade(check), width=60)


def test_score_lines_of_sections_and_total() -> None:
    """Each section ends with its score and the report has the total on a line of its own."""
    lines = show(grade(*ALL)).splitlines()
    assert "data 2/10" in lines
    assert "training 1.5/4" in lines
    assert "3.5/22" in lines


def test_a_complete_grade_reads_as_promised() -> None:
    """100 points show as `data 20/20` and so on, `100/100`, and the sentence about hidden checks at the very end."""
    checks = tuple(CheckResult(f"{section}/all", "All", State.PASSED, 20, 20.0) for section in SECTIONS)
    lines = show(grade(*checks)).splitlines()
    assert [line for line in lines if line in {f"{section} 20/20" for section in SECTIONS}] == [f"{section} 20/20" for section in SECTIONS]
    assert lines[-2:] == ["100/100", "Public checks passed; hidden checks run when the course grades."]


@pytest.mark.parametrize("check", [FAILED, NOT_STARTED, COULD_NOT_RUN, UNDECIDED, PARTIAL], ids=lambda check: str(check.state))
def test_passed_is_said_only_when_all_passed(check: CheckResult) -> None:
    """One check in any other state is enough to keep the sentence away, and the line says how many passed."""
    result = grade(PASSED, check)
    for shown in (show(result), render_html(result)):
        assert text.PUBLIC_PASSED not in shown
        assert "1 of 2 public checks passed so far" in shown


def test_official_grade_does_not_speak_of_hidden_checks_to_come() -> None:
    """An official run has run the hidden checks, and says so."""
    shown = show(grade(PASSED, official=True))
    assert text.PUBLIC_PASSED not in shown
    assert "hidden ones included" in shown


def test_undecided_points_are_named() -> None:
    """Points in which the grader failed are told apart from lost ones."""
    for shown in (show(grade(PASSED, UNDECIDED)), render_html(grade(PASSED, UNDECIDED))):
        assert "4 points are undecided" in shown


def test_no_check_is_no_success() -> None:
    """A word that selects no check must not read as everything passed."""
    for shown in (show(grade()), render_html(grade())):
        assert "No check ran" in shown
        assert text.PUBLIC_PASSED not in shown


@pytest.mark.parametrize("check", ALL, ids=lambda check: str(check.state))
def test_each_state_has_its_word_and_symbol(check: CheckResult) -> None:
    """Meaning hangs neither on colour nor on the symbol: the state's word stands beside it."""
    look = text.LOOKS[check.state]
    assert f"{look.symbol} {check.state}" in show(grade(check))
    assert f">{look.symbol}</span> {check.state}</span>" in render_html(grade(check))
    assert len({(other.symbol, other.ascii) for other in text.LOOKS.values()}) == len(State)


def test_cause_is_named_once() -> None:
    """A cause other than a plain error stands before the summary, unless the summary says it already."""
    assert text.headline(PARTIAL) == "time-out: half of it came"
    assert text.headline(replace(PARTIAL, feedback=Feedback("Time-out after 10 s"))) == "Time-out after 10 s"
    assert text.headline(FAILED) == FEEDBACK.summary


def test_live_and_stored_reports_are_the_same() -> None:
    """Verdicts shown as they fall and a stored result shown at once give the same text."""
    assert show(grade(*ALL), live=True) == show(grade(*ALL))


def test_narrow_terminal_keeps_everything() -> None:
    """At 60 columns no line of prose is longer than the terminal, and no word is lost; a command may be longer, so it can be copied."""
    narrow = show(grade(*ALL), width=60)
    assert max(len(line) for line in narrow.splitlines() if FAILED.command not in line) <= 60
    for check in ALL:
        assert without_space(check.title) in without_space(narrow)
        assert without_space(text.headline(check)) in without_space(narrow)


def test_no_colour_and_pipe_write_no_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe gets plain text; NO_COLOR takes the colours from a terminal too."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("TTY_COMPATIBLE", raising=False)
    assert "\x1b" not in show(grade(*ALL))
    monkeypatch.setenv("NO_COLOR", "1")
    coloured = show(grade(*ALL), force_terminal=True)
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", coloured)


def test_old_encodings_get_ascii() -> None:
    """A terminal that cannot show the symbols gets ASCII ones, and a student's umlaut does not end the report."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    report = TerminalReport(Console(file=out, width=80, highlight=False))
    report.finish(grade(*ALL, replace(FAILED, name="model/x", title="Größe", feedback=Feedback("größer"))))
    out.flush()
    shown = raw.getvalue().decode("ascii")
    assert "+ passed" in shown
    assert "Gr\\xf6\\xdfe" in shown


@given(HOSTILE)
def test_terminal_shows_hostile_text_as_text(words: str) -> None:
    """No control, direction or zero-width character of a submission's reaches the terminal, and its markup stays visible."""
    shown = show(hostile_grade(words))
    assert "\x1b" not in shown
    assert shown.replace("\n", "").isprintable()
    if "[bold red]" in words:
        assert "[boldred]" in without_space(shown)


@given(HOSTILE)
def test_terminal_with_colours_writes_only_its_own_escapes(words: str) -> None:
    """On a colour terminal the only escapes are colours and the spinner's, never a submission's."""
    shown = show(hostile_grade(words), force_terminal=True, color_system="standard", width=100)
    own = re.sub(r"\x1b\[(?:[0-9;]*m|2K|\?25[lh]|1A)|\r", "", shown)
    assert "\x1b" not in own
    assert own.replace("\n", "").isprintable()


@given(HOSTILE)
def test_no_text_forges_a_line_of_the_report(words: str) -> None:
    """A new line in a title, name or note cannot start a line that reads as a score."""
    check = replace(PASSED, name=f"data/{words}", title=f"x\n{words}\n100/100")
    result = grade(replace(check, earned=0, state=State.FAILED), notes=(f"x\n100/100\n{words}",), submission=f"a\n100/100\n{words}")
    assert "100/100" not in show(result, width=10_000).splitlines()


class Tags(HTMLParser):
    """Collects tags and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes a tag."""
        self.tags.append(tag)
        self.attributes += attrs


def parsed(page: str) -> Tags:
    """The tags of a page."""
    tags = Tags()
    tags.feed(page)
    return tags


@given(HOSTILE)
def test_html_shows_hostile_text_as_text(words: str) -> None:
    """Whatever a submission wrote adds no tag and no attribute to the page, and no character that browsers obey or reorder."""
    page = render_html(hostile_grade(words))
    harmless = render_html(hostile_grade("x" if words.strip() else words))
    assert "<script" not in page.lower()
    assert page.replace("\n", "").isprintable()
    tags = parsed(page)
    assert set(tags.tags) <= set(parsed(harmless).tags) | {"dl", "dt", "dd", "p", "pre", "code"}
    assert not [name for name, _ in tags.attributes if name.startswith("on") or name in ("style", "src")]
    page.encode("utf-8")


def test_html_forbids_scripts_and_the_network() -> None:
    """The policy allows nothing but the page's own style sheet, whose hash is right."""
    import base64
    import hashlib

    page = render_html(grade(*ALL))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert policy is not None
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy[1] == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert not re.search(r"https?:|@import|url\(", page)


def test_html_is_made_for_screen_readers() -> None:
    """One main heading, landmarks, a language, a labelled section each, and ids that are unique."""
    tags = parsed(render_html(grade(*ALL)))
    assert tags.tags.count("h1") == 1
    assert {"header", "nav", "main", "footer"} <= set(tags.tags)
    assert ("lang", "en") in tags.attributes
    ids = [value for name, value in tags.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value for name, value in tags.attributes if name == "aria-labelledby"} == {"data", "model", "timing", "training"}


def test_html_file_keeps_the_hash_on_every_system(tmp_path: Path) -> None:
    """The file has plain line feeds, or the style's hash would not hold on Windows."""
    file = tmp_path / "new" / "report.html"
    write_html(grade(*ALL), file)
    assert b"\r" not in file.read_bytes()
    assert file.read_text(encoding="utf-8") == render_html(grade(*ALL))


@given(st.text())
def test_plain_keeps_what_can_be_seen(words: str) -> None:
    """Printable text comes out as it went in, and `one_line` has no line break of any kind."""
    if words.isprintable():
        assert text.plain(words) == words
    assert len(text.one_line(words).splitlines()) <= 1


def test_long_output_is_cut_with_a_remark() -> None:
    """A submission that prints megabytes gets its first part shown, and the remark says how much is missing."""
    shown = text.plain("a" * (text.LONGEST + 7))
    assert len(shown) < text.LONGEST + 50
    assert "7 more characters" in shown


@pytest.mark.parametrize(("points", "shown"), [(20.0, "20"), (2.5, "2.5"), (0, "0"), (33.333, "33.33"), (100, "100")])
def test_points_read_as_a_person_writes_them(points: float, shown: str) -> None:
    """No trailing zeros, two decimals at most."""
    assert text.number(points) == shown
