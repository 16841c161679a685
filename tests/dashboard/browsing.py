"""A served dashboard and a real browser, for the tests, for `make screenshots` and for benchmarks/dashboard.py."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from dashboard import session
from dashboard.launch import command, environment

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STUDENT_PAGES = ("", "profile", "timing", "training", "pictures", "attempts")
INSTRUCTOR_PAGES = ("", "items", "submissions", "measurements", "flags", "compare", "progress", "grades", "leaderboard")
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
WAIT_MS = 120_000
"""How long a page may take before a test gives up on it; nothing passes or fails by less."""


def chromium() -> str:
    """Debian's browser, or another Chromium that is installed."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    raise RuntimeError("These tests need Chromium; install it with `apt-get install chromium`.")


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(arguments: list[str], ready: str, *, log: Path, **options: Any) -> Iterator[None]:
    """Runs a server until the end of the block, and waits until an address answers.

    Args:
        arguments: The command.
        ready: The address that answers when the server is ready.
        log: Where its output goes.
        options: For `subprocess.Popen`.
    """
    with log.open("wb") as output:
        running = subprocess.Popen(arguments, stdout=output, stderr=subprocess.STDOUT, **options)
        try:
            deadline = time.monotonic() + WAIT_MS / 1e3
            while True:
                if running.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"The server did not start: {log.read_text()[-3000:]}")
                try:
                    if httpx.get(ready, timeout=5, trust_env=False).status_code < 500:
                        break
                except httpx.HTTPError:
                    time.sleep(0.1)
            yield
        finally:
            running.terminate()
            try:
                running.wait(20)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


@contextmanager
def dashboard(
    log: Path, *, folder: Path, data: Path, database: str | None = None, port: int | None = None, secrets: Path | None = None
) -> Iterator[str]:
    """Serves the dashboard as `lab dashboard` does; gives its address."""
    port = port or free_port()
    arguments = command(port=port, open_browser=False)
    if secrets is not None:
        arguments.append(f"--secrets.files={secrets}")
    told = environment(folder, data, None, database)
    told.pop(session.GRADE, None)
    told["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(session.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))
    with process(arguments, f"http://127.0.0.1:{port}/_stcore/health", log=log, env=told, cwd=log.parent):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        try:
            yield running
        finally:
            running.close()


def watch(page: Page) -> list[str]:
    """Collects errors and warnings of a page's console, and failures of its scripts and requests."""
    seen: list[str] = []

    def note(message: Any) -> None:
        address = str(message.location.get("url", ""))
        # Opened at a page's own address, Streamlit first looks for its server below that address, finds nothing, and goes up.
        probing = "404" in message.text and address.endswith(("/_stcore/health", "/_stcore/host-config"))
        if message.type in ("error", "warning") and not probing:
            seen.append(f"{message.type}: {message.text} ({address})")

    page.on("console", note)
    page.on("pageerror", lambda error: seen.append(f"script: {error}"))
    return seen


def settle(page: Page) -> None:
    """Waits until Streamlit has run the page and the charts are drawn."""
    # Before its first run a page is idle, too; every page has a title.
    page.wait_for_selector("h1", timeout=WAIT_MS)
    page.wait_for_selector(IDLE, timeout=WAIT_MS)
    page.wait_for_function(
        """() => document.querySelectorAll('[data-testid="stSkeleton"], [data-testid="stSpinner"]').length === 0
            && [...document.querySelectorAll('[data-testid="stVegaLiteChart"]')].every(chart => chart.querySelector('canvas, svg'))""",
        timeout=WAIT_MS,
    )
    page.wait_for_selector(IDLE, timeout=WAIT_MS)


def whole(page: Page, file: Path, width: int = 1400) -> None:
    """A picture of the whole page, not only of what a window would show."""
    height = page.evaluate("() => document.querySelector('[data-testid=\"stMain\"]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(int(height) + 20, 6000)})
    settle(page)
    page.wait_for_timeout(500)
    file.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=file)
    page.set_viewport_size({"width": width, "height": 1000})
