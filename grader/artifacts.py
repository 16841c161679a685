"""What a student hands in besides code, read as data: `findings.toml` and the files of `results/`.

Everything here may have been written by hand or by a hostile program: sizes are capped, types are checked, nothing can run.
The layout is in docs/design.md.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, field_validator, model_validator
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors

from grader.errors import ResultsError
from grader.lab import FINDINGS_FILE, RESULTS_FOLDER

RESULTS_VERSION: Final = 1
"""Version of the files under results/. History: 1 (0.1.0), the first."""

MAX_JSON_BYTES: Final = 8 * 2**20
MAX_WEIGHTS_BYTES: Final = 64 * 2**20
UNANSWERED: Final = "?"
"""A finding that was not filled in."""

WEIGHTS_FILE: Final = "weights.safetensors"
TRACE_FOLDER: Final = "trace"

Positive = Annotated[FiniteFloat, Field(ge=1e-12, le=1e18)]
"""A measured quantity: so far from the ends of a float that ratios and sums of them are finite."""
Fraction = Annotated[FiniteFloat, Field(ge=0, le=1)]
NotNegative = Annotated[FiniteFloat, Field(ge=0)]
"""A loss of the lab's kind: minus a logarithm of a probability."""
Count = Annotated[int, Field(ge=0, le=10**12)]
AtLeastOne = Annotated[int, Field(ge=1, le=10**12)]
Curve = Field(min_length=1, max_length=10_000)
"""More than any run of the lab has, and few enough for everything that goes through them."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Dataset(_Strict):
    """The data that was measured on."""

    name: str
    manifest_sha256: str


class Threads(_Strict):
    """TensorFlow's thread settings; 0 lets it choose."""

    intra: int
    inter: int


class Machine(_Strict):
    """`machine.json`: where and with what the measurements were made."""

    version: Literal[1] = 1
    kind: Literal["machine"] = "machine"
    cpu: str
    cores: int
    memory_bytes: int
    system: str
    python: str
    tensorflow: str
    keras: str
    threads: Threads
    load_average: list[float]
    measured_at: str
    plan: str
    peak_macs_per_s: Positive | None = None
    """Multiply-accumulates a second that a product of large matrices reaches; None in files from before it was measured."""
    dataset: Dataset
    sources: dict[str, str]


class KernelTime(_Strict):
    """The time of one kernel in one layer, microseconds."""

    layer: str
    kernel: str
    duration_us: Annotated[FiniteFloat, Field(ge=0, le=1e18)]


class KernelSample(_Strict):
    """The profile of one image."""

    image: str
    label: int
    end_to_end_us: Positive
    rows: Annotated[list[KernelTime], Field(min_length=1, max_length=1000)]

    @field_validator("rows")
    @classmethod
    def _takes_time(cls, rows: list[KernelTime]) -> list[KernelTime]:
        if not any(row.duration_us > 0 for row in rows):
            raise ValueError("no kernel takes any time")
        return rows


class Kernels(_Strict):
    """`kernels.json`: the profiles of three validation images."""

    version: Literal[1] = 1
    kind: Literal["kernels"] = "kernels"
    samples: Annotated[list[KernelSample], Field(min_length=3, max_length=3)]


class TimingRun(_Strict):
    """One timing: the run with the median total, and the totals of all repeats in order."""

    count: Annotated[int, Field(ge=1, le=10**12)]
    batch_size: Annotated[int, Field(ge=1, le=10**12)]
    total_s: Positive
    latency_ms: Positive
    images_per_second: Positive
    totals_s: Annotated[list[Positive], Curve]


class Timings(_Strict):
    """`timings.json`: online and batch inference."""

    version: Literal[1] = 1
    kind: Literal["timings"] = "timings"
    online: Annotated[list[TimingRun], Field(min_length=1, max_length=100)]
    batches: Annotated[list[TimingRun], Field(min_length=1, max_length=100)]


class History(_Strict):
    """Curves of one training, a number an epoch."""

    loss: Annotated[list[NotNegative], Curve]
    accuracy: Annotated[list[Fraction], Curve]
    val_loss: Annotated[list[NotNegative], Curve]
    val_accuracy: Annotated[list[Fraction], Curve]


class MainRun(_Strict):
    """The main training run, and how its final weights do on the validation set."""

    batch_size: AtLeastOne
    epoch_limit: AtLeastOne
    min_delta: FiniteFloat
    patience: Count
    history: History
    val_correct: Count
    val_total: Annotated[int, Field(gt=0, le=10**12)]
    seconds: Positive

    @model_validator(mode="after")
    def _a_part(self) -> MainRun:
        if self.val_correct > self.val_total:
            raise ValueError("val_correct is more than val_total")
        return self


class SweepRun(_Strict):
    """One setting of the sweep."""

    batch_size: AtLeastOne
    epoch_limit: AtLeastOne
    epochs_run: Count
    train_accuracy: Fraction
    val_accuracy: Fraction
    seconds: Positive


class Training(_Strict):
    """`training.json`: the main run and the sweep."""

    version: Literal[1] = 1
    kind: Literal["training"] = "training"
    main: MainRun
    sweep: Annotated[list[SweepRun], Field(max_length=1000)]


Artifact = TypeVar("Artifact", Machine, Kernels, Timings, Training)

FILES: Final[dict[type[BaseModel], str]] = {
    Machine: "machine.json",
    Kernels: "kernels.json",
    Timings: "timings.json",
    Training: "training.json",
}
"""The JSON files of results/, by what is in them."""


class MissingResults(ResultsError):
    """A file of results/ is not there: the measurement was not made yet."""


class Results:
    """The results of one submission. Files are read when they are asked for.

    Args:
        folder: The submission's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / RESULTS_FOLDER

    def read(self, kind: type[Artifact]) -> Artifact:
        """Reads one JSON file.

        Args:
            kind: `Machine`, `Kernels`, `Timings` or `Training`.

        Returns:
            Its content, checked.

        Raises:
            MissingResults: The file is not there.
            ResultsError: It is cut short, of another version, or holds something that cannot be.
        """
        name = FILES[kind]
        text = _read(self.folder / name, MAX_JSON_BYTES)
        try:
            return kind.model_validate_json(text)
        except ValidationError as error:
            raise ResultsError(f"{RESULTS_FOLDER}/{name} {_first(error)}; run `lab measure` again to write it anew.") from error

    def weights(self) -> list[np.ndarray]:
        """The trained weights in the order of `model.get_weights()`.

        Returns:
            float32 arrays.

        Raises:
            MissingResults: There are none.
            ResultsError: The file is damaged, or holds other types or numbers that are not finite.
        """
        return read_weights(self.folder / WEIGHTS_FILE)

    def traces(self) -> list[Path]:
        """The trace files, in the order of the images they are of; an empty list where there are none."""
        return sorted((self.folder / TRACE_FOLDER).glob("*.xplane.pb"))


def read_weights(path: Path) -> list[np.ndarray]:
    """Reads weights from a safetensors file with the keys `000`, `001`, ...

    Args:
        path: The file.

    Returns:
        float32 arrays in the order of their keys.

    Raises:
        MissingResults: There is no such file.
        ResultsError: The file is damaged, or holds other types or numbers that are not finite.
    """
    try:
        arrays = load_safetensors(_read(path, MAX_WEIGHTS_BYTES))
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise ResultsError(f"{path.name} is not a whole safetensors file ({error}); run `lab measure` again.") from error
    if sorted(arrays) != [f"{index:03d}" for index in range(len(arrays))]:
        raise ResultsError(f"{path.name} should hold arrays named 000, 001, ..., received {sorted(arrays)[:3]}; run `lab measure` again.")
    weights = [arrays[key] for key in sorted(arrays)]
    if not all(array.dtype == np.float32 and np.isfinite(array).all() for array in weights):
        raise ResultsError(f"{path.name} should hold finite float32 numbers only; run `lab measure` again.")
    return weights


def read_findings(folder: Path) -> dict[str, dict[str, Any]]:
    """Reads `findings.toml`.

    Args:
        folder: The submission's folder.

    Returns:
        The tables by section; values are as TOML gives them, `UNANSWERED` where nothing was filled in.

    Raises:
        MissingResults: The file is not there.
        ResultsError: It is not TOML, or a section is not a table.
    """
    text = _read(folder / FINDINGS_FILE, 2**20)
    try:
        document = tomllib.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits
        raise ResultsError(f"{FINDINGS_FILE} is not valid TOML: {error}; put text in quotes and lists in square brackets.") from error
    return {name: table for name, table in document.items() if isinstance(table, dict)}


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except FileNotFoundError:
        raise MissingResults(f"{path.name} is not there yet.") from None
    except OSError as error:
        raise ResultsError(f"{path.name} cannot be read ({error.strerror}).") from error
    if len(content) > limit:
        raise ResultsError(f"{path.name} has more than {limit} bytes; run `lab measure` again to write it anew.")
    return content


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=True)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the file"
    if first["type"] == "json_invalid":
        return "is cut short or is not JSON"
    if place == "version":
        return f"has version {first['input']!r:.40}, expected {RESULTS_VERSION}"
    return f"is damaged: at {place}, {first['msg'].lower()} (received {str(first['input'])[:60]!r})"
