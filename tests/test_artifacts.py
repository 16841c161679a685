"""The files of results/ and findings.toml as strangers write them: what cannot be is told, and nothing takes long or crashes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader.artifacts import FILES, Kernels, Machine, Results, Timings, Training, read_findings
from grader.checks.findings import finding
from grader.errors import ResultsError
from grader.outcomes import CheckFailed

SOLUTIONS = Path(__file__).parents[1] / "solutions"
Document = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A submission's results, to be spoilt."""
    shutil.copytree(SOLUTIONS / "results", tmp_path / "results", ignore=shutil.ignore_patterns(".*", "trace", "*.safetensors"))
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "spoil", "told"),
    [
        (Training, lambda d: d["main"].update(val_correct=d["main"]["val_total"] + 1), "val_correct is more than val_total"),
        (Training, lambda d: d["main"]["history"].update(val_accuracy=[0.0] * 2000), "at most 1000 items"),
        (Training, lambda d: d.update(sweep=d["sweep"] * 30), "at most 200 items"),
        (Kernels, lambda d: d["samples"][0].update(rows=d["samples"][0]["rows"] * 30), "at most 500 items"),
        (Kernels, lambda d: [row.update(duration_us=0) for row in d["samples"][1]["rows"]], "no kernel takes any time"),
        (Timings, lambda d: d["online"][0].update(count=0), "greater than or equal to 1"),
        (Timings, lambda d: d["batches"][0].update(batch_size=2**31), "less than or equal to"),
        (Machine, lambda d: d.update(cores=10**12), "less than or equal to"),
        (Machine, lambda d: d.update(cpu="x\0y"), "control characters"),
        (Machine, lambda d: d.update(keras="x" * 256), "at most 255 characters"),
        (Kernels, lambda d: d["samples"][0]["rows"][0].update(layer="\x1b[2J"), "control characters"),
        (Timings, lambda d: d["online"][0].update(images_per_second=5e-324), "greater than or equal to"),
        (Timings, lambda d: d["online"][0].update(images_per_second=1e308), "less than or equal to"),
        (Timings, lambda d: d["batches"][0].update(total_s=float("inf")), "finite"),
    ],
)
def test_what_cannot_be_is_told(folder: Path, kind: Any, spoil: Callable[[Document], Any], told: str) -> None:
    """Counts that do not fit, figures at the ends of a float, and lists longer than any run makes."""
    file = folder / "results" / FILES[kind]
    document = json.loads(file.read_text(encoding="utf-8"))
    spoil(document)
    file.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ResultsError, match="is damaged") as error:
        Results(folder).read(kind)
    assert told in str(error.value)


def test_reference_reads_back() -> None:
    """The reference's own files are within all limits."""
    for kind in FILES:
        Results(SOLUTIONS).read(kind)  # type: ignore[type-var]


@pytest.mark.parametrize("value", ["9" * 6000, "[" * 5000, "1" * 5000 + ".0e"])
def test_findings_that_are_hardly_toml(tmp_path: Path, value: str) -> None:
    """Numbers of thousands of digits and brackets without end are no TOML that we read."""
    (tmp_path / "findings.toml").write_text(f"[data]\naccuracy_interval = {value}\n", encoding="utf-8")
    with pytest.raises(ResultsError, match="is not valid TOML"):
        read_findings(tmp_path)


@pytest.mark.parametrize("value", ["0x" + "F" * 8000, "[0x" + "F" * 8000 + ", 1]", "[" * 60 + "]" * 60, "[[1, 2], 3]"])
def test_findings_of_another_kind(tmp_path: Path, value: str) -> None:
    """What is TOML and no answer is told, however large it is."""
    (tmp_path / "findings.toml").write_text(f"[data]\naccuracy_interval = {value}\n", encoding="utf-8")
    with pytest.raises(CheckFailed) as error:
        finding(tmp_path, "data", "accuracy_interval", list, length=2)
    assert "should be 2 numbers" in error.value.feedback.summary
