"""How fast the dashboard is in a real browser: first paint and a filter, for a class of many students and runs.

    python benchmarks/dashboard.py                    # 1,000 students, 10 runs, three repeats
    python benchmarks/dashboard.py --students 200 --runs 2

Fills a database with students who never were, serves the dashboard on it, and measures in headless Chromium, from the request until the
page's own content is first painted (its title, and what it has so far), and until all of it is drawn, charts too. The browser's own first
paint (first-contentful-paint of the Paint Timing API: Streamlit's frame) is told beside it. Cold is the first
look after the server has started, when nothing is kept; after that, a first visit is by a browser that has to load and compile Streamlit's
own scripts, a next visit by one that has them. Wants a machine that does nothing else. Needs the extras `instructor`, `dashboard` and
`dev`, and Chromium.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests" / "dashboard")]

from browsing import INSTRUCTOR_PAGES, browser, dashboard, free_port, process, settle  # noqa: E402
from filled import fill  # noqa: E402
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize  # noqa: E402

WINDOW: ViewportSize = {"width": 1400, "height": 1000}


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--checks", type=int, default=50, help="Checks of each grading.")
    parser.add_argument("--repeats", type=int, default=3)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as place:
        folder = Path(place)
        started = time.perf_counter()
        fill(str(folder / "class.db"), students=told.students, runs=told.runs, checks=told.checks, released=told.runs).dispose()
        size = (folder / "class.db").stat().st_size / 2**20
        print(
            f"{told.students} students, {told.runs} runs, {told.checks} checks each: {size:.0f} MiB of SQLite, "
            f"filled in {time.perf_counter() - started:.0f} s; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
        )
        with (
            dashboard(folder / "log", folder=folder / "none", data=folder / "none", database=str(folder / "class.db")) as address,
            browser() as chromium,
        ):
            alone(chromium, folder, told.repeats)
            pages(chromium, address, told.repeats)
            filters(chromium, address, told.repeats)


def pages(chromium: Browser, address: str, repeats: int) -> None:
    """First paint of every page, and the whole page: cold once, in a browser that was never here, and in one that was."""
    print(f"\n{'page':<14}{'cold, s':>24}{'first visit, s':>26}{'next visit, s (medians of ' + str(repeats) + ')':>38}")
    print(" " * 14 + "".join(f"{'browser':>{width}}{'title':>7}{'whole':>8}" for width in (9, 11, 23)))
    known = chromium.new_context(viewport=WINDOW)
    painted(known, address)
    for name in INSTRUCTOR_PAGES:
        place = f"{address}/{name}"
        cold = painted(chromium.new_context(viewport=WINDOW), place)
        first = median([painted(chromium.new_context(viewport=WINDOW), place) for _ in range(repeats)])
        again = median([painted(known, place) for _ in range(repeats)])
        columns = "".join(f"{one[0]:>{width}.2f}{one[1]:>7.2f}{one[2]:>8.2f}" for one, width in ((cold, 9), (first, 11), (again, 23)))
        print(f"{name or 'overview':<14}{columns}", flush=True)


def alone(chromium: Browser, folder: Path, repeats: int) -> None:
    """The same for a page of Streamlit's with nothing but a title: no page of ours can be faster."""
    (folder / "app.py").write_text("import streamlit as st\nst.title('Nothing')\n", encoding="utf-8")
    port = free_port()
    place = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "streamlit", "run", str(folder / "app.py"), "--server.headless=true", f"--server.port={port}"]
    with process(command, f"{place}/_stcore/health", log=folder / "alone.log"):
        known = chromium.new_context(viewport=WINDOW)
        painted(known, place)
        first = median([painted(chromium.new_context(viewport=WINDOW), place) for _ in range(repeats)])
        again = median([painted(known, place) for _ in range(repeats)])
    print(f"\na Streamlit page with only a title, title painted: first visit {first[1]:.2f} s, next visit {again[1]:.2f} s")


def median(times: list[tuple[float, float, float]]) -> list[float]:
    """The median of each of the figures."""
    return [statistics.median(column) for column in zip(*times, strict=True)]


def painted(window: BrowserContext, address: str) -> tuple[float, float, float]:
    """Seconds from the request until the browser paints first, the page's title is painted, and all of it is drawn, in a new tab."""
    page = window.new_page()
    started = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_selector("h1", timeout=60_000)
    first = time.perf_counter() - started
    settle(page)
    spent = time.perf_counter() - started
    browser_s = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000
    page.close()
    return browser_s, first, spent


def filters(chromium: Browser, address: str, repeats: int) -> None:
    """A filter from the key or the click that chooses to the changed page."""
    sections = ["data", "model", "timing", "training", "profiling"]

    def type_name(page: Page, turn: int) -> None:
        page.get_by_label("Name, login or label").fill(f"student{100 + turn}_")

    def search(page: Page, turn: int) -> None:
        page.keyboard.press("Enter")
        page.get_by_text("1 submissions; choose a row", exact=False).wait_for(timeout=60_000)
        settle(page)

    def open_menu(page: Page, turn: int) -> None:
        page.get_by_role("combobox", name="Section").click()
        page.get_by_role("option", name=sections[turn % len(sections)], exact=True).hover()

    def choose(page: Page, turn: int) -> None:
        page.keyboard.press("Enter")
        page.wait_for_url(f"**section={sections[turn % len(sections)]}**", timeout=60_000)
        settle(page)

    print(f"\n{'filter':<40}{'s (median of ' + str(repeats) + ')':>22}")
    for name, words, ready, act in (
        ("submissions", "search 1,000 rows by name", type_name, search),
        ("items", "item analysis of one section", open_menu, choose),
    ):
        page = chromium.new_context(viewport=WINDOW).new_page()
        page.goto(f"{address}/{name}")
        settle(page)
        print(f"{words:<40}{timed(page, ready, act, repeats):>22.2f}")
        page.context.close()


def timed(page: Page, ready: Callable[[Page, int], None], act: Callable[[Page, int], None], repeats: int) -> float:
    """Median seconds of an action, after one that does not count; what makes ready for it counts nothing."""
    spent = []
    for turn in range(repeats + 1):
        ready(page, turn)
        started = time.perf_counter()
        act(page, turn)
        spent.append(time.perf_counter() - started)
    return statistics.median(spent[1:])


if __name__ == "__main__":
    main()
