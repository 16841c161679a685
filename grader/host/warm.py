"""The warm zygote: one that `lab watch` keeps, found by any other run of the same user, environment and version."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import platformdirs

import grader
from grader.errors import SetupError

START_S: Final = 120.0
LONGEST_FOLDER: Final = 75
"""A Unix socket's path has at most 108 bytes."""


def socket_path() -> Path:
    """Where the warm zygote of this environment listens.

    Returns:
        A path in the user's cache folder. Its name changes with the Python environment and with the code that a worker runs, so that
        a zygote of another version is never met.
    """
    identity = hashlib.sha256(f"{sys.prefix}\0{sys.version}\0{grader.__version__}".encode())
    package = Path(grader.__file__).parent
    for source in sorted((*package.glob("worker/**/*.py"), *package.glob("channel/*.py"))):
        identity.update(f"{source.name}\0{source.stat().st_mtime_ns}".encode())
    folder = Path(os.environ.get("LAB_RUNTIME_DIR") or platformdirs.user_cache_path("deep-learning-lab"))
    if len(str(folder)) > LONGEST_FOLDER:
        folder = Path(tempfile.gettempdir()) / f"deep-learning-lab-{os.getuid()}"
    return folder / f"zygote-{identity.hexdigest()[:16]}.sock"


def connect_warm() -> socket.socket | None:
    """Connects to the warm zygote.

    Returns:
        A control connection, or None when no warm zygote listens, or its socket is not this user's own.
    """
    if sys.platform != "linux":
        return None
    path = socket_path()
    try:
        state = path.lstat()
    except OSError:
        return None
    if not stat.S_ISSOCK(state.st_mode) or state.st_uid != os.getuid():
        return None
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        control.connect(str(path))
    except OSError:
        control.close()
        return None
    return control


class WarmZygote:
    """Keeps a warm zygote for as long as the context lasts, unless one is there already.

    Raises:
        SetupError: It could not be started.
    """

    def __enter__(self) -> WarmZygote:
        """Starts the zygote and waits until it listens."""
        self._process: subprocess.Popen[bytes] | None = None
        present = connect_warm()
        if present is not None:
            present.close()
            return self
        path = socket_path()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.parent.stat().st_uid != os.getuid():
            raise SetupError(f"The folder {path.parent} belongs to another user; set LAB_RUNTIME_DIR to a folder of your own.")
        path.parent.chmod(0o700)
        path.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "grader.worker.zygote", "--listen", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._path = path
        end = time.monotonic() + START_S
        while time.monotonic() < end and self._process.poll() is None:
            control = connect_warm()
            if control is not None:
                control.close()
                return self
            time.sleep(0.05)
        self.__exit__()
        raise SetupError("The warm worker could not start TensorFlow. Run `lab doctor` to see what is missing.")

    def __exit__(self, *_: object) -> None:
        """Ends the zygote if it was started here."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stderr is not None:
                self._process.stderr.close()
            with contextlib.suppress(OSError):
                self._path.unlink()
