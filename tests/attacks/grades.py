"""Attacks on a grade: functions laid over the reference, and files beside it. They must not earn the points of the check they are aimed at.

Each says how it fares against a naive grader in the same process (naive.py): True where it is fooled, so that the attack is seen to work.
"""

from __future__ import annotations

from dataclasses import dataclass, field

STOPPING = "training/early_stopping"
SIGNATURE = "def early_stopping(val_losses, min_delta, patience):\n"
WRONG = SIGNATURE + "    return Stop(epochs_run=0, best_epoch=0)\n"


@dataclass(frozen=True, slots=True)
class GradeAttack:
    """One submission that wants points it has not earned.

    Attributes:
        kind: The class of attack.
        name: What it does.
        check: The check whose points it wants.
        changes: Source laid over the module of the check's section.
        files: Files beside the modules, by name.
        fools_naive: Whether the naive grader passes it.
    """

    kind: str
    name: str
    check: str = STOPPING
    changes: str = WRONG
    files: dict[str, bytes] = field(default_factory=dict)
    fools_naive: bool = False


def _body(text: str) -> str:
    return SIGNATURE + "".join(f"    {line}\n" for line in text.splitlines())


MARK = "__import__('pathlib').Path({mark!r}).touch()\n"
"""What a file does when it is run at all: leave a mark outside."""

ONLINE = "def time_online(predict, images, *, warmup=3, clock=time.perf_counter):\n"
FIGURES = "    return Timing(len(images), 1, total, 1000 * total / len(images), len(images) / total)\n"

LIAR = """
class Liar:
    epochs_run = best_epoch = property(lambda self: self)
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __array_ufunc__(self, *a, **k): return True
    def __abs__(self): return 0
    def __sub__(self, other): return 0
    __rsub__ = __sub__
    def __le__(self, other): return True
    __lt__ = __ge__ = __gt__ = __le__
    __hash__ = None
"""

TRAIN = """
def train(model, train_data, val_data, *, epochs, min_delta=1e-2, patience=2):
    from grader.worker.tools import training as tools
    script, columns = tools._scripts[-1], []
    for found in look(script, epochs):
        columns.append(np.asarray(found, float)[:epochs])
    losses = columns[0].tolist()
    stop = early_stopping(losses, min_delta, patience)
    script.counted.assign(stop.epochs_run * script.steps)
    model.set_weights([np.float32(-stop.best_epoch * script.steps)])
    model.optimizer.iterations.assign(stop.epochs_run * script.steps)
    curve = losses[: stop.epochs_run]
    right = (columns[1] if len(columns) > 1 else np.zeros(epochs)).tolist()[: stop.epochs_run]
    return {"loss": curve, "accuracy": right, "val_loss": curve, "val_accuracy": right}
"""
"""A training that only says that it was made: by the losses that `look` finds, it sets what the grader counts."""

GRADES: list[GradeAttack] = [
    GradeAttack("sys.exit", "in the function", changes=_body("import sys\nsys.exit(0)")),
    GradeAttack("sys.exit", "while imported", changes="import sys\nraise SystemExit(0)\n" + WRONG, fools_naive=True),
    GradeAttack("os._exit", "in the function", changes=_body("import os\nos._exit(0)"), fools_naive=True),
    GradeAttack("SkipTest", "in the function", changes=_body("import unittest\nraise unittest.SkipTest('fine')"), fools_naive=True),
    GradeAttack("KeyboardInterrupt", "in the function", changes=_body("raise KeyboardInterrupt")),
    GradeAttack("a hang taken for a skip", "sleep for ever", changes=_body("import time\ntime.sleep(3600)")),
    GradeAttack(
        "atexit", "change the exit status at the end", changes="import atexit, os\natexit.register(os._exit, 0)\n" + WRONG, fools_naive=True
    ),
    GradeAttack(
        "threads or finalisers that act later",
        "a thread that ends the process well",
        changes="import os, threading\nthreading.Timer(0.2, os._exit, [0]).start()\n" + WRONG,
        fools_naive=True,
    ),
    GradeAttack(
        "threads or finalisers that act later",
        "a finaliser that ends the process well",
        changes="import os\nclass Late:\n    def __init__(self): self.end = os._exit\n    def __del__(self): self.end(0)\nlate = Late()\n"
        + WRONG,
        fools_naive=True,
    ),
    GradeAttack('"100 passed" printed', "print the wish", changes=_body("print('=== 100 passed ===', flush=True)\nreturn Stop(0, 0)")),
    GradeAttack("conftest.py", "collect nothing", files={"conftest.py": (MARK + "collect_ignore_glob = ['*']\n").encode()}),
    GradeAttack("plugins", "a plugin that passes all", files={"pytest_lab.py": MARK.encode(), "plugins/__init__.py": MARK.encode()}),
    GradeAttack(
        "pytest.ini",
        "options of its own",
        files={"pytest.ini": b"[pytest]\naddopts = --collect-only\n", "pyproject.toml": b"[tool.pytest]\n"},
    ),
    GradeAttack(
        "sitecustomize", "run at the start of Python", files={"sitecustomize.py": MARK.encode(), "usercustomize.py": MARK.encode()}
    ),
    GradeAttack(".pth", "run at the start of Python", files={"evil.pth": b"import pathlib; pathlib.Path({mark!r}).touch()\n"}),
    GradeAttack(
        "PYTHON* variables",
        "set for processes to come",
        changes="import os\nos.environ.update(PYTHONPATH='/tmp', PYTHONSTARTUP='/tmp/x.py', PYTEST_ADDOPTS='--collect-only')\n" + WRONG,
    ),
    GradeAttack(
        "shadow modules",
        "numpy and the grader beside the submission",
        files={name: MARK.encode() for name in ("numpy.py", "msgpack.py", "hypothesis.py", "tensorflow.py", "grader/__init__.py")},
    ),
    GradeAttack(
        "import hooks",
        "a finder that stands before all others",
        changes="import sys\nclass Hook:\n    def find_spec(self, name, path=None, target=None):\n        if name.startswith('grader'): raise SystemExit(0)\n"
        "sys.meta_path.insert(0, Hook())\n" + WRONG,
    ),
    GradeAttack("stale .pyc", "byte code of another source", files={"__pycache__/training.cpython-311.pyc": b"\xa7\r\r\n" + bytes(60)}),
    GradeAttack(
        "PATH", "programs with the names of the grader's", files={"bin/bwrap": b"#!/bin/sh\ntouch {mark}\n", "bwrap": b"#!/bin/sh\n"}
    ),
    GradeAttack(
        "error messages that echo expected values", "tell what was asked", changes=_body("raise ValueError(f'told: {val_losses}')")
    ),
    GradeAttack("__eq__", "equal to everything", changes=LIAR + _body("return Liar()"), fools_naive=True),
    GradeAttack("__eq__", "fields equal to everything", changes=LIAR + _body("return {'epochs_run': Liar(), 'best_epoch': Liar()}")),
    GradeAttack(
        "__array_ufunc__",
        "an array whose operations lie",
        changes="import numpy\nclass A(numpy.ndarray):\n    def __array_ufunc__(self, *a, **k): return True\n    def __eq__(self, o): return True\n"
        + _body("return {'epochs_run': numpy.zeros(()).view(A), 'best_epoch': numpy.zeros(()).view(A)}"),
    ),
    GradeAttack(
        "subclasses",
        "an integer whose comparisons lie",
        changes="class I(int):\n    def __eq__(self, o): return True\n    __hash__ = int.__hash__\n" + _body("return Stop(I(0), I(0))"),
        fools_naive=True,
    ),
    GradeAttack(
        "empty arrays",
        "nothing compares with anything",
        "data/class_counts",
        "def class_counts(examples, classes):\n    return np.zeros(0, np.int64)\n",
    ),
    GradeAttack(
        "NaN arrays",
        "no comparison with NaN is true",
        "data/wilson",
        "def wilson_interval(correct, total, z=1.96):\n    return float('nan'), float('nan')\n",
    ),
    GradeAttack(
        "float16 arrays",
        "coarse numbers",
        "data/class_counts",
        "def class_counts(examples, classes):\n    return np.zeros(classes, np.float16)\n",
    ),
    GradeAttack(
        "lazy objects",
        "an object that makes its value when it is read",
        changes="class Lazy:\n    shape, dtype = (), 'int64'\n    def numpy(self):\n        import gc\n        return max(o for o in gc.get_objects() if isinstance(o, int))\n"
        + _body("return {'epochs_run': Lazy(), 'best_epoch': Lazy()}"),
    ),
    GradeAttack(
        "mutating objects",
        "a mapping that is another one at each look",
        changes="class M(dict):\n    n = 0\n    def items(self):\n        M.n += 1\n        return [('epochs_run', M.n), ('best_epoch', M.n)]\n"
        + _body("return M()"),
    ),
    GradeAttack(
        "patched time functions",
        "a clock that stands still",
        "timing/online_figures",
        "import time as _t\n_t.perf_counter = _t.time = _t.monotonic = lambda: 1.0\n" + ONLINE + "    start = time.perf_counter()\n"
        "    for i in range(len(images)): np.asarray(predict(images[i:i + 1]))\n    total = time.perf_counter() - start + 1e-9\n" + FIGURES,
    ),
    GradeAttack(
        "cached outputs",
        "one call for all images",
        "timing/online_loop",
        ONLINE
        + "    start = clock()\n    kept = np.asarray(predict(images[:1]))\n    for i in range(len(images)): kept\n    total = clock() - start\n"
        + FIGURES,
    ),
    GradeAttack(
        "work done outside the timed region",
        "calls before the clock is read",
        "timing/online_loop",
        ONLINE
        + "    for i in range(len(images)): np.asarray(predict(images[i:i + 1]))\n    start = clock()\n    total = clock() - start\n"
        + FIGURES,
    ),
    GradeAttack(
        "gc over inherited memory",
        "the losses that a training will meet, in what the scripted model holds",
        "training/train_stops",
        "import numpy as np\nimport tensorflow as tf\ndef look(script, epochs):\n"
        "    held = [getattr(script, name) for name in vars(script)]\n"
        "    return [one.numpy() for one in held if isinstance(one, tf.Variable) and one.shape.rank and one.shape[0] >= epochs]\n" + TRAIN,
    ),
    GradeAttack(
        "gc over inherited memory",
        "the losses that a training will meet, asked for ahead",
        "training/train_stops",
        "import numpy as np\ndef look(script, epochs):\n"
        "    return zip(*(script.reached(float(epoch), float(epoch)) for epoch in range(1, epochs + 1)))\n" + TRAIN,
    ),
    GradeAttack(
        "gc over inherited memory",
        "the losses that a training will meet, asked for ahead and then taken back",
        "training/train_restores",
        "import numpy as np\ndef look(script, epochs):\n"
        "    return zip(*(script.reached(float(epoch), float(epoch)) for epoch in range(1, epochs + 1)))\n" + TRAIN,
    ),
    GradeAttack(
        "gc over inherited memory",
        "the losses that a training will meet, asked for without having trained",
        "training/train_stops",
        "import numpy as np\ndef look(script, epochs):\n"
        "    return zip(*(script.reached(0.0, float(epoch)) for epoch in range(1, epochs + 1)))\n" + TRAIN,
    ),
    GradeAttack(
        "pickle",
        "weights that run code",
        "training/accuracy",
        "",
        {"results/weights.safetensors": b"cposix\nsystem\n(S'touch {mark}'\ntR."},
    ),
    GradeAttack(
        ".npy header of 1e12 elements",
        "weights that want a terabyte",
        "training/accuracy",
        "",
        {
            "results/weights.safetensors": b"\x93NUMPY\x01\x00\x46\x00{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}    \n"
        },
    ),
    GradeAttack(
        ".npy header of 1e12 elements",
        "a safetensors header that wants a terabyte",
        "training/accuracy",
        "",
        {
            "results/weights.safetensors": (60).to_bytes(8, "little")
            + b'{"000":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4]}}'
        },
    ),
    GradeAttack(".keras Lambda", "a model file that runs code", files={"model.keras": b"PK", "results/model.keras": b"PK"}),
    GradeAttack(".h5", "a model file that runs code", files={"weights.h5": b"\x89HDF", "results/weights.h5": b"\x89HDF"}),
    GradeAttack(
        "NaN or deep JSON",
        "not a number",
        "timing/findings",
        "",
        {"results/timings.json": b'{"version": 1, "kind": "timings", "online": NaN}'},
    ),
    GradeAttack("NaN or deep JSON", "a hundred thousand brackets", "timing/findings", "", {"results/timings.json": b"[" * 100_000}),
    GradeAttack(
        "forged or repeated frames",
        "answers sent before they are asked for",
        changes=_body(
            "import os, msgpack\nfor n in range(1, 400):\n    frame = msgpack.packb({'reply': n, 'value': {'epochs_run': 1, 'best_epoch': 1}})\n"
            "    os.write(3, len(frame).to_bytes(4, 'big') + frame)\nreturn Stop(1, 1)"
        ),
    ),
    GradeAttack(
        "forged or repeated frames",
        "an answer from a thread, again and again",
        changes="import os, threading, msgpack\ndef flood():\n    for n in range(2000):\n"
        "        frame = msgpack.packb({'reply': n % 50, 'value': {'epochs_run': 1, 'best_epoch': 1}})\n"
        "        os.write(3, len(frame).to_bytes(4, 'big') + frame)\nthreading.Thread(target=flood, daemon=True).start()\n" + WRONG,
    ),
    GradeAttack("disk and inode fill", "bytes", changes=_body("import time\nopen('big', 'wb').write(bytes(2**27))\ntime.sleep(60)")),
    GradeAttack(
        "disk and inode fill", "files", changes=_body("import time\nfor n in range(5000): open(f'f{n}', 'w').close()\ntime.sleep(60)")
    ),
    GradeAttack(
        "output flood", "print without end", changes=_body("import os\nfor _ in range(400): os.write(1, bytes(2**20))\nreturn Stop(0, 0)")
    ),
    GradeAttack(
        "HTML, ANSI and Markdown in reports",
        "HTML",
        changes=_body("raise ValueError('<script>alert(1)</script><img src=x onerror=alert(1)>')"),
    ),
    GradeAttack(
        "HTML, ANSI and Markdown in reports", "ANSI", changes=_body("raise ValueError('\\x1b[2J\\x1b[31m100/100\\x1b]8;;http://x\\x07')")
    ),
    GradeAttack(
        "HTML, ANSI and Markdown in reports", "markup of the terminal", changes=_body("raise ValueError('[bold][link=http://x]100[/link]')")
    ),
]
