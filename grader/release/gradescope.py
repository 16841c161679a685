"""The zip that Gradescope takes as an autograder: setup.sh and run_autograder at its root, and the lab beside them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

from grader.errors import LabError
from grader.release.student import Content, checkout, student_files

SECRET: Final = "secret"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)

SETUP: Final = """\
#!/usr/bin/env bash
# Run once by Gradescope, when the container's image is built.
set -euo pipefail
cd "${AUTOGRADER:-/autograder}/source"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3 python3-venv bubblewrap libseccomp2
    # Ubuntu 22.04's python3 is 3.10, for which there is no TensorFlow of today; it has a 3.11 beside it.
    if ! python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; then
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3.11 python3.11-venv
    fi
fi
if [ -f secret ]; then chmod 600 secret; fi
cd lab
scripts/setup.sh student
.venv/bin/lab doctor || true
"""

RUN: Final = """\
#!/usr/bin/env bash
# Run by Gradescope for each submission: grades it, and writes results.json.
set -euo pipefail
base="${AUTOGRADER:-/autograder}"
cd "$base/source/lab"
export LAB_RUNTIME_DIR="${TMPDIR:-/tmp}/lab-runtime"
if [ -f "$base/source/secret" ]; then export LAB_SECRET_FILE="$base/source/secret"; fi
# With another folder around the five modules, as zips often have, that is found too.
exec .venv/bin/lab grade "$base/submission" --gradescope "$base/results/results.json"
"""

README: Final = """\
Upload this zip as the autograder of a programming assignment on Gradescope.

Choose the largest container: TensorFlow wants 2 CPUs and 3 GB. The default of 0.5 CPU and 768 MB is just enough for right solutions, and
slow; a submission that takes more memory leaves checks undecided there. A grading takes about a minute on two cores: leave the timeout at
10 minutes or more.
Any image will do whose packages have Python 3.11, 3.12 or 3.13: Ubuntu 22.04 and 24.04, Debian 12 and 13.

Students hand in the zip of `lab submit`, or the five modules with findings.toml and results/.

Where the container allows no namespaces, submissions run in tier B of the sandbox or in none; every result says which, in its extra_data,
and setup's log says why (`lab doctor`).
"""


def write_gradescope(target: Path, *, secret: bytes | None = None) -> int:
    """Writes the autograder's zip.

    Args:
        target: The zip.
        secret: The course's secret, for official grades; the zip then must reach nobody but Gradescope.

    Returns:
        How many files it holds.

    Raises:
        LabError: This is no checkout, or the zip cannot be written.
    """
    files = {
        "setup.sh": Content(SETUP.encode(), runs=True),
        "run_autograder": Content(RUN.encode(), runs=True),
        "README.txt": Content(README.encode()),
        **{f"lab/{path}": content for path, content in student_files(checkout()).items()},
    }
    if secret is not None:
        files[SECRET] = Content(secret)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in files.items():
                entry = zipfile.ZipInfo(path, _EPOCH)  # the same zip every time
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = (0o100755 if content.runs else 0o100600 if path == SECRET else 0o100644) << 16
                archive.writestr(entry, content.data)
    except OSError as error:
        raise LabError(f"{target} cannot be written ({error.strerror}); name another file.") from error
    return len(files)
