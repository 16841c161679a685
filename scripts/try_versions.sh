#!/usr/bin/env bash
# Grades the wheats on the oldest and on the newest TensorFlow and Keras that pyproject.toml allows, each in an environment of its own.
#
#   scripts/try_versions.sh [oldest|newest ...]
#
# An environment (.venv-oldest, .venv-newest) is made once; remove it to take newer packages. PYTHON=... chooses an interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

for name in "${@:-oldest newest}"; do
    for kind in $name; do
        case "$kind" in
            oldest) versions=("tensorflow-cpu==2.20.*" "keras==3.11.*") ;;
            newest) versions=("tensorflow-cpu>=2.20,<2.22" "keras>=3.11") ;;
            *) echo "try_versions: expected oldest or newest, received $kind" >&2; exit 2 ;;
        esac
        place=".venv-$kind"
        if ! [ -f "$place/.whole" ]; then
            "${PYTHON:-python3}" -m venv --clear "$place"
            # No constraints: what they pin is what is to be tried in other versions.
            "$place/bin/python" -m pip install --quiet --disable-pip-version-check -e '.[instructor]' "${versions[@]}"
            "$place/bin/python" -m compileall -q -j 0 "$("$place/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" >/dev/null 2>&1 || true
            touch "$place/.whole"
        fi
        "$place/bin/python" -m pip list --disable-pip-version-check 2>/dev/null | grep -iE '^(tensorflow|keras|numpy|hypothesis|pytest) ' || true
        "$place/bin/lab" validate --only wheats
    done
done
