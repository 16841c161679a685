"""Draws a picture of every page of the dashboard into build/screenshots/, light and dark; what `make screenshots` runs.

Shows what `make demo` left below build/demo/: the measured reference, and the sample class. What is not there is made up, so that every
page has something on it; the pictures in the documentation are of the demo.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "dashboard")]

from browsing import INSTRUCTOR_PAGES, STUDENT_PAGES, browser, dashboard, settle, watch, whole  # noqa: E402
from filled import fill  # noqa: E402
from playwright.sync_api import Browser  # noqa: E402
from samples import write_submission  # noqa: E402

DEMO = ROOT / "build" / "demo"
DATABASES = ("class.db", "grades.db")
"""Names of the sample class's database, the first that is there is shown."""
FIRST = {"student": "score", "class": "overview"}
"""The first page of each role has no name in its address."""


def main() -> None:
    """Draws them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "screenshots", help="Where the pictures go.")
    parser.add_argument("--db", default="", help="A class's database instead of the demo's.")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lab-pictures-") as place:
        folder = Path(place)
        submission = DEMO / "reference"
        if not (submission / "results").is_dir():
            submission = write_submission(folder / "assignment")
        database = told.db or next((str(DEMO / name) for name in DATABASES if (DEMO / name).is_file()), "")
        if not database:
            database = str(folder / "class.db")
            fill(database, students=40, runs=2, released=1).dispose()
        with browser() as chromium:
            with dashboard(folder / "student.log", folder=submission, data=ROOT / "data" / "small") as address:
                draw(chromium, address, "student", STUDENT_PAGES, told.output)
            with dashboard(folder / "class.log", folder=submission, data=ROOT / "data" / "small", database=database) as address:
                draw(chromium, address, "class", INSTRUCTOR_PAGES, told.output)


def draw(chromium: Browser, address: str, role: str, names: tuple[str, ...], output: Path) -> None:
    """Draws one role's pages in both schemes, and says what a page's console had to say."""
    for name in names:
        page = chromium.new_context(color_scheme="light", viewport={"width": 1400, "height": 1000}, reduced_motion="reduce").new_page()
        seen = watch(page)
        page.goto(f"{address}/{name}" + ("?submission=1" if name == "submissions" else ""))
        settle(page)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            file = output / f"{role}-{name or FIRST[role]}-{scheme}.png"
            whole(page, file)
            print(f"wrote {file}")
        page.context.close()
        for line in seen:
            print(f"  {name}: {line}")


if __name__ == "__main__":
    main()
