"""Every page in a real browser, light and dark: it is drawn, its console is silent, axe finds nothing, and a picture of it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import INSTRUCTOR_PAGES, STUDENT_PAGES, browser, dashboard, settle, watch, whole
from filled import fill
from playwright.sync_api import BrowserContext, Page
from samples import EVIL

from dashboard.access import Role, Viewer
from dashboard.page import write
from dashboard.reports import class_page, open_class, student_page
from dashboard.subject import from_own_folder

PICTURES = Path(__file__).resolve().parents[2] / "build" / "screenshots" / "tests"
SCHEMES = ("light", "dark")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def chromium() -> Iterator[BrowserContext]:
    """One browser for all pages, which fetches and compiles Streamlit's scripts once."""
    with browser() as running:
        yield running.new_context(viewport={"width": 1400, "height": 1000}, reduced_motion="reduce")


@pytest.fixture(scope="module")
def class_database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A class of 50 with three runs, two given back, the last half done."""
    url = str(tmp_path_factory.mktemp("class") / "class.db")
    fill(url, students=50, runs=3, running=True, released=2).dispose()
    return url


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory, submission: Path, data: Path) -> Iterator[str]:
    """A student's dashboard."""
    with dashboard(tmp_path_factory.mktemp("student-server") / "log", folder=submission, data=data) as address:
        yield address


@pytest.fixture(scope="module")
def instructor(tmp_path_factory: pytest.TempPathFactory, submission: Path, data: Path, class_database: str) -> Iterator[str]:
    """A class's dashboard."""
    log = tmp_path_factory.mktemp("instructor-server") / "log"
    with dashboard(log, folder=submission, data=data, database=class_database) as address:
        yield address


def opened(chromium: BrowserContext) -> tuple[Page, list[str]]:
    """An empty page, with what its console will say."""
    page = chromium.new_page()
    return page, watch(page)


def faults(page: Page, scheme: str) -> list[str]:
    """What axe-core finds at two looks, one line each: what is being drawn anew, as progress is every two seconds, is pale for a moment."""
    first = look(page, scheme)
    if not first:
        return []
    settle(page)
    return [line for line in look(page, scheme) if line in first]


def look(page: Page, scheme: str) -> list[str]:
    """What axe-core finds now, of colours alone in the second scheme, where nothing else differs; nothing checked is a fault too."""
    only = {"type": "tag", "values": RULES} if scheme == SCHEMES[0] else {"type": "rule", "values": ["color-contrast"]}
    results = Axe().run(page, options={"runOnly": only}).response
    found = [f"{rule['id']} ({rule['impact']}): {node['html'][:160]}" for rule in results["violations"] for node in rule["nodes"][:3]]
    return found if results["passes"] else [*found, "axe checked nothing"]


@pytest.mark.parametrize(
    ("role", "name"), [*(("student", name) for name in STUDENT_PAGES), *(("instructor", name) for name in INSTRUCTOR_PAGES)]
)
def test_page_is_drawn_silently_and_accessibly(chromium: BrowserContext, role: str, name: str, request: pytest.FixtureRequest) -> None:
    """In light and in dark: no exception, no error or warning in the console, and axe finds no fault."""
    page, seen = opened(chromium)
    page.goto(f"{request.getfixturevalue(role)}/{name}" + ("?submission=1&run=2" if name == "submissions" else ""))
    settle(page)
    assert page.locator('[data-testid="stException"]').count() == 0
    assert page.locator("h1").count() == 1
    # Streamlit writes a text that stands alone in a page's source onto the page.
    assert not page.locator('[data-testid="stMain"]').inner_text().partition(page.locator("h1").inner_text())[0].strip()
    problems = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        whole(page, PICTURES / f"{role}-{name or 'first'}-{scheme}.png")
        problems += [f"{scheme}: {line}" for line in faults(page, scheme)]
    page.close()
    assert not problems + seen, "\n".join(problems + seen)


def test_hostile_text_makes_no_element(chromium: BrowserContext, student: str) -> None:
    """Feedback with Markdown, HTML and a script is shown letter by letter: no image, no link, nothing bold comes of it."""
    page, seen = opened(chromium)
    page.goto(f"{student}/?checks=all+checks")
    settle(page)
    assert page.get_by_text(EVIL, exact=False).count() >= 3
    assert page.locator("img[src='x']").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0
    assert page.locator("strong", has_text="bold").count() == 0
    page.close()
    assert not seen


def test_choosing_a_row_shows_the_submission_and_its_address(chromium: BrowserContext, instructor: str) -> None:
    """A search narrows the table; a chosen row opens below it, and the address alone opens the same again."""
    page, seen = opened(chromium)
    page.goto(f"{instructor}/submissions?run=2&find=student2_")
    settle(page)
    assert page.get_by_text("1 submissions").count() == 1
    grid = page.locator('[data-testid="stDataFrame"]').first.bounding_box()
    assert grid is not None
    # The first column holds the box that chooses a row; the table is a canvas, so there is nothing but a place to click.
    page.mouse.click(grid["x"] + 18, grid["y"] + 52)
    page.wait_for_url("**submission=2**")
    settle(page)
    heading = page.locator("h2").inner_text()
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    settle(page)
    assert page.locator("h2").inner_text() == heading
    page.close()
    assert not seen


@pytest.mark.parametrize("kind", ["student", "class"])
def test_report_needs_no_server_and_no_network(
    chromium: BrowserContext, kind: str, submission: Path, data: Path, class_database: str, tmp_path: Path
) -> None:
    """The one HTML file draws every chart under its own policy, asks for nothing, says nothing in the console, and axe finds no fault."""
    if kind == "student":
        html = student_page(from_own_folder(submission), data)
    else:
        html = class_page(open_class(class_database, Viewer(Role.INSTRUCTOR, "prof")), 2)
    file = tmp_path / "report.html"
    write(file, html)
    page, seen = opened(chromium)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-drawn=yes]", timeout=60_000)
    charts = page.locator(".chart")
    assert page.locator(".chart svg").count() == charts.count() > 0
    assert [address for address in asked if not address.startswith(("file:", "data:", "blob:"))] == []
    assert page.locator("img[src='x']").count() == 0
    problems = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(300)
        page.screenshot(path=PICTURES / f"report-{kind}-{scheme}.png", full_page=True)
        problems += [f"{scheme}: {line}" for line in faults(page, scheme)]
    page.close()
    assert not problems + seen, "\n".join(problems + seen)
