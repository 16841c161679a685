"""A grader process: `python -m grader.batch.process [CORE]...`, trusted, with a zygote of its own, on the cores that it is given.

It reads one job after the other as a line of JSON from standard input and writes lines of JSON: a check's result as it falls, then the
whole result or what went wrong. It ends when standard input does: so no grader outlives the command that started it, however that ends.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import queue
import signal
import sys
import threading
import traceback
from typing import Any, Final

from grader import capacity
from grader.batch.job import Graders, Job, check_to_plain, fault_kind

END_S: Final = 5.0
"""How long an interrupted grading may take to tidy up."""


def main() -> None:
    """Serves jobs until standard input ends."""
    capacity.keep_to([int(core) for core in sys.argv[1:]])
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else prints goes to standard error
    jobs: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(jobs,), daemon=True).start()
    graders = Graders()

    def tell(message: dict[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError), contextlib.closing(graders):
        graders.start()
        while (line := jobs.get()) is not None:
            plain = json.loads(line)
            job = Job(**{**plain, "archive": base64.b64decode(plain["archive"]), "known": tuple(plain["known"])})
            try:
                result = graders.run(job, lambda check: tell({"check": check_to_plain(check)}))
                tell({"result": result.to_json()})
            except BrokenPipeError:
                raise
            except Exception as error:
                tell({"fault": str(error) or type(error).__name__, "kind": fault_kind(error), "trace": traceback.format_exc()})


def job_line(job: Job) -> str:
    """A job as the line that a grader process reads."""
    plain = {name: getattr(job, name) for name in Job.__slots__}
    return json.dumps({**plain, "archive": base64.b64encode(job.archive).decode(), "known": list(job.known)}) + "\n"


def _read(jobs: queue.SimpleQueue[str | None]) -> None:
    for line in sys.stdin:
        jobs.put(line)
    jobs.put(None)
    # The command is gone, or wants no more: what still runs is interrupted, so that workers and folders are tidied up.
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    signal.pthread_kill(main_thread, signal.SIGINT)
    threading.Event().wait(END_S)
    os._exit(1)


if __name__ == "__main__":
    main()
