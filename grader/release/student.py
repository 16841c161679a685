"""What students get: the stubs, the grader and how to set them up, without solutions, tests, secrets or history."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import grader
from grader.errors import LabError
from grader.stubs import stub_files

TAKEN_FILES: Final = ("LICENSE", "constraints.txt", "scripts/setup.sh", "docs/data.md", "docs/pictures/data-classes.png")
TAKEN_FOLDERS: Final = ("assignment", "grader", "dashboard")
"""Taken whole, as far as they are under version control: a file that only lies there, a secret say, is not."""

PROJECT: Final = "pyproject.toml"
DEVELOPERS: Final = ("[tool.pytest.", "[tool.ruff", "[tool.mypy", "[[tool.mypy")
"""Tables of pyproject.toml that speak of the tests and of those who change the grader."""

README: Final = """\
# Lab 1: a network, and how long it takes

```sh
make data                   # once: sets up .venv, and draws the data set
source .venv/bin/activate
pytest grader               # checks what you wrote
```

You write the modules in `assignment/`; [assignment/README.md](assignment/README.md) tells what, and how it is graded. `lab doctor` tells
what a machine lacks. On Windows without make: `python -m venv .venv`, `.venv\\Scripts\\activate`,
`pip install -c constraints.txt -e .`, then `lab data make`.
"""

MAKEFILE: Final = """\
# Needs make and python3 (3.11 to 3.13) with venv. Every target may be run again; what is done is skipped.

.PHONY: data setup setup-gpu

data: setup
\t@test -f data/small/wnids.txt || .venv/bin/lab data make

setup:
\t@scripts/setup.sh student

setup-gpu:
\t@scripts/setup.sh gpu
"""

IGNORED: Final = """\
.venv/
__pycache__/
*.egg-info/
data/
.pytest_cache/
.hypothesis/
assignment/results/
*.zip
"""


@dataclass(frozen=True, slots=True)
class Content:
    """A file to be written.

    Attributes:
        data: Its bytes.
        runs: Whether it may be executed.
    """

    data: bytes
    runs: bool = False


def checkout() -> Path:
    """The checkout that this package is run from.

    Raises:
        LabError: It is an installed copy, or one without solutions or history.
    """
    root = Path(grader.__file__).resolve().parent.parent
    if not (root / ".git").exists() or not (root / "solutions").is_dir():
        raise LabError(f"A release is made from the course's own repository, and {root} is none: run `lab` from a clone's .venv.")
    return root


def student_files(root: Path) -> dict[str, Content]:
    """Everything that a student gets.

    Args:
        root: The checkout.

    Returns:
        Files by their path, with `/`, in order.

    Raises:
        LabError: The checkout is not whole.
    """
    chosen = [path for path in _tracked(root) if path in TAKEN_FILES or PurePosixPath(path).parts[0] in TAKEN_FOLDERS]
    files = {}
    for path in chosen:
        source = root / path
        if source.is_file() and not source.is_symlink():
            files[path] = Content(source.read_bytes(), bool(source.stat().st_mode & 0o100))
    # Fresh from the reference: what somebody tried out in assignment/ stays here.
    files |= {f"assignment/{name}": Content(text.encode()) for name, text in stub_files(root / "solutions").items()}
    files |= {
        PROJECT: Content(_for_students((root / PROJECT).read_text(encoding="utf-8")).encode()),
        "README.md": Content(README.encode()),
        "Makefile": Content(MAKEFILE.encode()),
        ".gitignore": Content(IGNORED.encode()),
    }
    missing = [path for path in TAKEN_FILES if path not in files]
    if missing:
        raise LabError(f"The checkout {root} lacks {', '.join(missing)}; restore it with git.")
    return dict(sorted(files.items()))


def write_files(files: dict[str, Content], target: Path) -> None:
    """Writes files into a folder that is new or empty.

    Args:
        files: As `student_files` gives them.
        target: The folder.

    Raises:
        LabError: The folder holds something, or cannot be written to.
    """
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise LabError(f"Expected a new or empty folder, received {target}, which holds something; name another, or empty it.")
        for path, content in files.items():
            file = target / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.data)
            file.chmod(0o755 if content.runs else 0o644)
    except OSError as error:
        raise LabError(f"{target} cannot be written ({error.strerror}); name another folder.") from error


def write_release(target: Path) -> int:
    """Writes what students get.

    Args:
        target: A new or empty folder.

    Returns:
        How many files were written.

    Raises:
        LabError: This is no checkout, or the folder cannot be written.
    """
    files = student_files(checkout())
    write_files(files, target)
    return len(files)


def _tracked(root: Path) -> list[str]:
    from dulwich.errors import NotGitRepository
    from dulwich.repo import Repo

    try:
        with Repo(str(root)) as repository:
            return sorted(path.decode("utf-8", "surrogateescape") for path in repository.open_index())
    except (NotGitRepository, OSError) as error:
        raise LabError(f"The repository {root} cannot be read ({error}).") from error


def _for_students(project: str) -> str:
    kept, ours = [], True
    for line in project.splitlines(keepends=True):
        if line.startswith("["):
            ours = not line.startswith(DEVELOPERS)
        if ours:
            kept.append(line)
    return "".join(kept).rstrip() + "\n"
