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
from grader.host import jail, limits, scratch
from grader.host.jail import Jail

START_S: Final = 120.0
LONGEST_FOLDER: Final = 75
"""A Unix socket's path has at most 108 bytes."""


def socket_path(kind: Jail | None = None) -> Path:
    """Where the warm zygote of this environment listens.

    Args:
        kind: The jail it is in; by default the best of this machine.

    Returns:
        A path in the user's cache folder. Its name changes with the Python environment, the jail, and the code that a worker runs, so
        that a zygote of another version is never met.
    """
    kind = kind or jail.choose()
    held = f"{kind.bubblewrap}\0{kind.becomes}\0{','.join(kind.layers)}"
    identity = hashlib.sha256(f"{sys.prefix}\0{sys.version}\0{grader.__version__}\0{held}".encode())
    package = Path(grader.__file__).parent
    for source in sorted((*package.glob("worker/**/*.py"), *package.glob("channel/*.py"))):
        identity.update(f"{source.name}\0{source.stat().st_mtime_ns}".encode())
    folder = Path(os.environ.get("LAB_RUNTIME_DIR") or platformdirs.user_cache_path("deep-learning-lab"))
    if len(str(folder)) > LONGEST_FOLDER:
        folder = Path(tempfile.gettempdir()) / f"deep-learning-lab-{os.getuid()}"
    return folder / f"zygote-{identity.hexdigest()[:16]}.sock"


def rooms_folder(kind: Jail | None = None) -> Path:
    """Where the warm zygote's workers have their rooms.

    Args:
        kind: The jail it is in; by default the best of this machine.
    """
    return socket_path(kind).with_suffix(".rooms")


def connect_warm(kind: Jail | None = None) -> socket.socket | None:
    """Connects to the warm zygote.

    Args:
        kind: The jail it must be in; by default the best of this machine.

    Returns:
        A control connection, or None when no warm zygote listens, or its socket is not this user's own.
    """
    if sys.platform != "linux":
        return None
    path = socket_path(kind)
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
        if sys.platform != "linux":
            return self  # workers are new processes there, and there is nothing to keep warm
        kind = jail.choose()
        present = connect_warm(kind)
        if present is not None:
            present.close()
            return self
        path = socket_path(kind)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.parent.stat().st_uid != os.getuid():
            raise SetupError(f"The folder {path.parent} belongs to another user; set LAB_RUNTIME_DIR to a folder of your own.")
        path.parent.chmod(0o700)
        path.unlink(missing_ok=True)
        self._path, self._rooms = path, rooms_folder(kind)
        self._rooms.mkdir(exist_ok=True)
        self._rooms.chmod(0o711)
        # Bound here, since inside the jail there is no such folder; the zygote listens when it is warm.
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(str(path))
            path.chmod(0o600)
            self._process = subprocess.Popen(
                kind.command(self._rooms, "--listen", str(listener.fileno()), tasks=limits.TASKS),
                pass_fds=(listener.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env=jail.environment(),
            )
        end = time.monotonic() + START_S
        while time.monotonic() < end and self._process.poll() is None:
            control = connect_warm(kind)
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
            scratch.remove(self._rooms)
