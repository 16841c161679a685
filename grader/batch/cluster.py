"""The same jobs on a Dask cluster: submissions travel as data, results come back as data.

Each worker machine probes its own sandbox and keeps a zygote of its own. A job whose worker is lost is given to another one by the
scheduler. What had ended there came back as it fell, and stays as it was stored first.
"""

from __future__ import annotations

import atexit
import json
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from grader.batch.job import Graders, Job, check_from_plain, check_to_plain, fault_kind
from grader.batch.pool import ATTEMPTS, OnCheck, OnOutcome, Outcome
from grader.errors import LabError
from grader.results import GradeResult

CONNECT_S: Final = 30
TOPIC: Final = "deep-learning-lab-check"
AHEAD: Final = 2
"""Jobs that wait on each of the cluster's threads, so that none is idle; more would only fill its memory."""

_graders = threading.local()


def grade_job(job: dict[str, Any]) -> dict[str, Any]:
    """Grades one job on a worker of the cluster.

    Args:
        job: The fields of a `Job`.

    Returns:
        `{"result": JSON}`, or `{"fault": sentence, "kind": kind}`.
    """
    from distributed import get_worker

    worker = get_worker()
    # One zygote a thread: two gradings at once never share one.
    if not hasattr(_graders, "kept"):
        _graders.kept = Graders()
        atexit.register(_graders.kept.close)
    try:
        result = _graders.kept.run(
            Job(**job), lambda check: worker.log_event(TOPIC, json.dumps({"key": job["key"], "check": check_to_plain(check)}))
        )
    except Exception as error:
        return {"fault": str(error) or type(error).__name__, "kind": fault_kind(error)}
    return {"result": result.to_json()}


class ClusterPool:
    """Runs jobs on a cluster.

    Args:
        address: Of the scheduler, `tcp://HOST:PORT`.

    Attributes:
        threads: How many threads TensorFlow gets for each job.
    """

    threads = 1

    def __init__(self, address: str) -> None:
        self._address = address

    def run(self, jobs: Sequence[Callable[[], Job | None]], on_check: OnCheck, on_outcome: OnOutcome) -> None:
        """Runs jobs; see `LocalPool.run`.

        Raises:
            LabError: There is no scheduler at that address.
        """
        from distributed import Client

        try:
            client = Client(self._address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise LabError(
                f"No Dask scheduler answers at {self._address}; start one with `dask scheduler` and name its address."
            ) from error
        with client:
            _Run(client, jobs, on_check, on_outcome).run()


class _Run:
    def __init__(self, client: Any, jobs: Sequence[Callable[[], Job | None]], on_check: OnCheck, on_outcome: OnOutcome) -> None:
        self._client = client
        self._waiting = list(reversed(jobs))
        self._on_check, self._on_outcome = on_check, on_outcome
        self._jobs: dict[str, Job] = {}
        self._error: BaseException | None = None

    def run(self) -> None:
        from distributed import as_completed

        self._client.subscribe_topic(TOPIC, self._heard)
        running: dict[Any, tuple[Callable[[], Job | None], int]] = {}
        arrived = as_completed(loop=self._client.loop)
        try:
            self._fill(running, arrived)
            while running:
                future = next(arrived)
                make, attempt = running.pop(future)
                job = self._jobs[future.key.partition("#")[0]]
                outcome = _outcome(job, future)
                future.release()
                if self._error is not None:
                    raise self._error
                if outcome.kind == "grader" and attempt < ATTEMPTS:
                    self._submit(make, attempt + 1, running, arrived)
                else:
                    self._on_outcome(outcome)
                self._fill(running, arrived)
        finally:
            for future in running:
                future.cancel()
            self._client.unsubscribe_topic(TOPIC)

    def _fill(self, running: dict[Any, Any], arrived: Any) -> None:
        threads = sum(self._client.nthreads().values()) or 1
        while self._waiting and len(running) < AHEAD * threads:
            self._submit(self._waiting.pop(), 1, running, arrived)

    def _submit(self, make: Callable[[], Job | None], attempt: int, running: dict[Any, Any], arrived: Any) -> None:
        job = make()
        if job is None:
            return
        self._jobs[job.key] = job
        fields = {name: getattr(job, name) for name in Job.__slots__}
        future = self._client.submit(grade_job, fields, key=f"{job.key}#{attempt}", pure=False, retries=0)
        running[future] = (make, attempt)
        arrived.add(future)

    def _heard(self, event: Any) -> None:
        message = json.loads(event[1])
        job = self._jobs.get(message["key"])
        if job is None or self._error is not None:
            return
        try:
            self._on_check(job, check_from_plain(message["check"]))
        except BaseException as error:
            self._error = error


def _outcome(job: Job, future: Any) -> Outcome:
    if future.status != "finished":
        return Outcome(job, None, "the cluster lost the worker that graded it", "grader")
    answer = future.result()
    if "result" in answer:
        return Outcome(job, GradeResult.from_json(answer["result"]))
    return Outcome(job, None, answer["fault"], answer["kind"])
