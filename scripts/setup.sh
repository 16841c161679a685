#!/usr/bin/env bash
# Makes the virtual environment .venv and installs the lab in it, with byte code.
#
#   scripts/setup.sh             what a student needs
#   scripts/setup.sh instructor  also what grading a class needs
#   scripts/setup.sh dev         also what the tests, the linters and the dashboard need
#   scripts/setup.sh gpu         what a student needs, with TensorFlow for NVIDIA GPUs (Linux; several GB)
#
# Nothing is done again when neither pyproject.toml nor constraints.txt nor this file changed. PYTHON=... chooses an interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

kind="${1:-student}"
case "$kind" in
    student) target="." ;;
    instructor) target=".[instructor,dashboard]" ;;
    dev) target=".[instructor,dashboard,dev]" ;;
    gpu) target=".[gpu]" ;;
    *) echo "setup: there is no kind '$kind'; expected student, instructor, dev or gpu" >&2; exit 2 ;;
esac

# 3.11, 3.12 and 3.13 have TensorFlow packages. A name on PATH may be a shim that starts nothing, so each is tried.
suits() { "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; }
choose_python() {
    local name
    for name in ${PYTHON:+"$PYTHON"} python3 python3.12 python3.11 python3.13 python; do
        if command -v "$name" >/dev/null 2>&1 && suits "$name"; then command -v "$name"; return; fi
        if [ -n "${PYTHON:-}" ]; then break; fi
    done
    echo "setup: no Python 3.11, 3.12 or 3.13 with venv was found (${PYTHON:-python3} is $("${PYTHON:-python3}" --version 2>&1 || true))." >&2
    echo "setup: install one (on Debian and Ubuntu also its package python3-venv) or name it: make setup PYTHON=/path/to/python3.12" >&2
    return 1
}

# What an installation is made of; a student's is part of a developer's.
fingerprint="$(cat pyproject.toml constraints.txt scripts/setup.sh | cksum)"
done_already() { [ -x .venv/bin/lab ] && [ -f ".venv/.setup-$1" ] && [ "$(cat ".venv/.setup-$1")" = "$fingerprint" ]; }
if done_already dev || done_already "$kind"; then exit 0; fi

if ! [ -x .venv/bin/python ] || ! suits .venv/bin/python; then
    python="$(choose_python)"
    echo "setup: making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi
echo "setup: installing ($kind); TensorFlow is large, the first time takes some minutes"
# An environment that uv made has no pip.
.venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null
.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e "$target"
if [ "$kind" = gpu ]; then
    # The CPU package, which the lab asks for, owns the same folder; the GPU one takes its place.
    version="$(.venv/bin/python -c 'from importlib.metadata import version; print(version("tensorflow"))')"
    .venv/bin/python -m pip uninstall --quiet --yes tensorflow-cpu
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "tensorflow==$version"
fi

# Without byte code, each start of TensorFlow takes three times as long. pip writes it unless it is told not to.
packages="$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
compiled="$(find "$packages/tensorflow" -name '*.pyc' -print -quit)"
if [ -z "$compiled" ]; then
    echo "setup: compiling to byte code"
    # Some packages ship templates that are not valid Python; those are none of ours.
    .venv/bin/python -m compileall -q -j 0 "$packages" >/dev/null 2>&1 || true
fi
# The lab's own modules are used where they lie, so pip compiles none of them.
.venv/bin/python -m compileall -q grader dashboard
rm -f .venv/.setup-*
printf '%s\n' "$fingerprint" > ".venv/.setup-$kind"
echo "setup: done; try .venv/bin/lab doctor"
