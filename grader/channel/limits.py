"""What a worker may use: the trusted side sets it, the worker keeps it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one worker may use.

    Attributes:
        wall_s: Time of one check by the clock on the wall, on a machine that does nothing else; kept by the trusted side, which counts less
            where there is a crowd.
        cpu_s: Processor time of the whole worker.
        memory_bytes: Address space. TensorFlow needs 2 GiB; 1 GiB is too little.
        file_bytes: Largest file that may be written.
        scratch_bytes: All files in the worker's scratch folder together.
        scratch_files: Number of files and folders there.
        threads: Threads that TensorFlow may use for one operation, and for several at once; 0 lets it choose.
    """

    wall_s: float
    cpu_s: int
    memory_bytes: int
    file_bytes: int
    scratch_bytes: int
    scratch_files: int
    threads: int
