"""What a student hands in besides code, read as data: `findings.toml` and the files of `results/`.

Everything here may have been written by hand or by a hostile program: sizes are capped, types are checked, nothing can run.
The layout is in docs/design.md.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, field_validator, model_validator
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors

from grader.errors import ResultsError
from grader.lab import FINDINGS_FILE, RESULTS_FOLDER

RESULTS_VERSION: Final = 1
"""Version of the files under results/. History: 1 (0.1.0), the first."""

MAX_JSON_BYTES: Final = 128 * 2**10
"""Twenty times the largest file of results/ under the standard plan: kernels.json with 6.4 kB."""
MAX_WEIGHTS_BYTES: Final = 64 * 2**20
MAX_WEIGHTS_HEADER: Final = 64 * 2**10
"""Bytes of the list of arrays that a safetensors file begins with; that of the lab's 16 arrays has 1.2 kB."""
MAX_TRACE_BYTES: Final = 4 * 2**20
"""A trace of one image of the lab's network has about 20 kB. Small messages take fifty times their bytes in memory."""
MAX_TRACES: Final = 8
"""Traces that are taken; there should be three, and a few more are left for the check to tell."""
MAX_FINDINGS_BYTES: Final = 16 * 2**10
"""findings.toml of the reference has 2.4 kB."""
MAX_KEY_DOTS: Final = 8
"""Dots in one key of findings.toml, where none has any: `tomllib` takes time and memory by the square of their number."""
UNANSWERED: Final = "?"
"""A finding that was not filled in."""

WEIGHTS_FILE: Final = "weights.safetensors"
TRACE_FOLDER: Final = "trace"

_TOML_WORDS: Final = re.compile(r"(?P<long>\"{3}|'{3})|(?P<text>\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*')|(?P<remark>#[^\n]*)")
"""What may hold dots that part no key: text and remarks. Without texts of several lines each line can be read by itself."""
_MANY_DOTS: Final = re.compile(rf"(?:\.[^.,=\[\]{{}}\n]*){{{MAX_KEY_DOTS + 1}}}")


def _storable(text: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise ValueError("control characters are not allowed")
    return text


Text = Annotated[str, Field(max_length=255), AfterValidator(_storable)]
"""A name. The longest that `lab measure` writes are digests, with 64 characters. A store takes neither longer ones nor a zero byte."""
Positive = Annotated[FiniteFloat, Field(ge=1e-12, le=1e18)]
"""A measured quantity: so far from the ends of a float that ratios and sums of them are finite."""
Fraction = Annotated[FiniteFloat, Field(ge=0, le=1)]
NotNegative = Annotated[FiniteFloat, Field(ge=0)]
"""A loss of the lab's kind: minus a logarithm of a probability."""
MOST: Final = 10**9
"""Largest count; a column of a store takes twice as much."""
Count = Annotated[int, Field(ge=0, le=MOST)]
AtLeastOne = Annotated[int, Field(ge=1, le=MOST)]
ThreadCount = Annotated[int, Field(ge=-(10**6), le=10**6)]
Load = Annotated[FiniteFloat, Field(ge=0, le=1e9)]
Curve = Field(min_length=1, max_length=1000)
"""More than any run of the lab has, and few enough for everything that goes through them."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Dataset(_Strict):
    """The data that was measured on."""

    name: Text
    manifest_sha256: Text


class Threads(_Strict):
    """TensorFlow's thread settings; 0 lets it choose."""

    intra: ThreadCount
    inter: ThreadCount


class Machine(_Strict):
    """`machine.json`: where and with what the measurements were made."""

    version: Literal[1] = 1
    kind: Literal["machine"] = "machine"
    cpu: Text
    cores: Count
    memory_bytes: Annotated[int, Field(ge=0, le=10**18)]
    system: Text
    python: Text
    tensorflow: Text
    keras: Text
    threads: Threads
    load_average: Annotated[list[Load], Field(max_length=10)]
    measured_at: Text
    plan: Text
    peak_macs_per_s: Positive | None = None
    """Multiply-accumulates a second that a product of large matrices reaches; None in files from before it was measured."""
    dataset: Dataset
    sources: Annotated[dict[Text, Text], Field(max_length=50)]


class KernelTime(_Strict):
    """The time of one kernel in one layer, microseconds."""

    layer: Text
    kernel: Text
    duration_us: Annotated[FiniteFloat, Field(ge=0, le=1e18)]


class KernelSample(_Strict):
    """The profile of one image."""

    image: Text
    label: Count
    end_to_end_us: Positive
    rows: Annotated[list[KernelTime], Field(min_length=1, max_length=500)]

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

    count: AtLeastOne
    batch_size: AtLeastOne
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
    val_total: AtLeastOne
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
    sweep: Annotated[list[SweepRun], Field(max_length=200)]


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
    content = _read(path, MAX_WEIGHTS_BYTES)
    if int.from_bytes(content[:8], "little") > MAX_WEIGHTS_HEADER:
        raise ResultsError(f"{path.name} is not a whole safetensors file (its list of arrays is too long); run `lab measure` again.")
    try:
        arrays = load_safetensors(content)
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise ResultsError(f"{path.name} is not a whole safetensors file ({str(error)[:100]}); run `lab measure` again.") from error
    if sorted(arrays) != [f"{index:03d}" for index in range(len(arrays))]:
        raise ResultsError(
            f"{path.name} should hold arrays named 000, 001, ..., received {str(sorted(arrays)[:3])[:60]}; run `lab measure` again."
        )
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
        ResultsError: It is too large, not TOML, or TOML of a kind that no finding needs.
    """
    content = _read(folder / FINDINGS_FILE, MAX_FINDINGS_BYTES, "keep the handout's lines and put your values in.")
    try:
        text = content.decode("utf-8")
        _require_plain(text)
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits
        told = f"{str(error)[:200]}; put text in quotes and lists in square brackets."
        raise ResultsError(f"{FINDINGS_FILE} is not valid TOML: {told}") from error
    return {name: table for name, table in document.items() if isinstance(table, dict)}


def _require_plain(text: str) -> None:
    """Refuses what no finding needs and `tomllib` would take long for."""

    def blank(word: re.Match[str]) -> str:
        if word["long"]:
            raise ResultsError(f"{FINDINGS_FILE} has text over several lines (three quotes in a row); write each value in one line.")
        return "" if word["remark"] else "text"

    if _MANY_DOTS.search(_TOML_WORDS.sub(blank, text)):
        raise ResultsError(f"{FINDINGS_FILE} has more than {MAX_KEY_DOTS} dots in a key or number; write each value as the handout does.")


def _read(path: Path, limit: int, advice: str = "run `lab measure` again to write it anew.") -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except FileNotFoundError:
        raise MissingResults(f"{path.name} is not there yet.") from None
    except OSError as error:
        raise ResultsError(f"{path.name} cannot be read ({error.strerror}).") from error
    if len(content) > limit:
        raise ResultsError(f"{path.name} has more than {limit} bytes; {advice}")
    return content


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=True)[0]
    place = ".".join(repr(part)[1:-1] if isinstance(part, str) else str(part) for part in first["loc"])[:80] or "the file"
    if first["type"] == "json_invalid":
        return "is cut short or is not JSON"
    if place == "version":
        return f"has version {first['input']!r:.40}, expected {RESULTS_VERSION}"
    return f"is damaged: at {place}, {first['msg'].lower()[:200]} (received {str(first['input'])[:60]!r})"
