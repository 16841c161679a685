"""Fills a class's database with students who never were: for tests and for benchmarks/dashboard.py. The same seed gives the same rows."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from samples import LAYERS
from sqlalchemy import Engine, insert

from grader.store import schema
from grader.store.database import open_engine

SECTIONS = ("data", "model", "profiling", "timing", "training")
GIVEN = ("Ada", "Grace", "Alan", "Barbara", "Edsger", "Frances", "Donald", "Katherine", "Tony", "Hedy", "Zoë", "José")
FAMILY = ("Lovelace", "Hopper", "Turing", "Liskov", "Dijkstra", "Allen", "Knuth", "Johnson", "Hoare", "Lamarr", "O'Neil", "Núñez")
MESSAGES = (
    "The last batch is counted as a whole one.",
    "The clock was read before the warm-up had ended.",
    "Expected shape (4,), received (4, 1).",
    "**not bold** <img src=x onerror=alert(1)> [link](javascript:alert(1))",
)
START = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)


def digest(text: str) -> str:
    """A stand-in for a content's digest."""
    return hashlib.sha256(text.encode()).hexdigest()


def fill(
    url: str, *, students: int = 24, runs: int = 2, checks: int = 25, released: int = 1, running: bool = False, seed: int = 7
) -> Engine:
    """Makes the tables and fills them.

    Args:
        url: An empty database.
        students: Students on the roster; each twelfth hands nothing in.
        runs: Runs of the same class; each grades everything anew.
        checks: Checks, shared out over the sections; together they are worth 100 points.
        released: How many of the runs, from the first, were given back.
        running: Leave the last run half done.
        seed: Other seeds give other figures.
    """
    chance = random.Random(seed)
    engine = open_engine(url)
    rows: dict[type, list[dict[str, Any]]] = {}

    def add(table: type, **values: Any) -> None:
        rows.setdefault(table, []).append(values)

    for number, cpu in enumerate(("Imagined CPU 8-core", "Imagined CPU 4-core"), start=1):
        add(
            schema.Machine,
            id=number,
            fingerprint=digest(cpu),
            role="student",
            cpu=cpu,
            cores=12 - 4 * number,
            memory_bytes=2**34,
            system="Linux",
            python="3.12.1",
            tensorflow="2.21.0",
            keras="3.15.1",
        )
    add(schema.Grader, digest=digest("grader"), version="0.1.0", checks={})
    names = [f"{SECTIONS[number * len(SECTIONS) // checks]}/check_{number:02d}" for number in range(checks)]
    worth = 100 / checks
    ability = {}
    for student in range(1, students + 1):
        name = f"{GIVEN[student % len(GIVEN)]} {FAMILY[student // len(GIVEN) % len(FAMILY)]}" + (f" {student}" if student > 144 else "")
        login = f"student{student}"
        add(
            schema.Student,
            id=student,
            key=login,
            name=name,
            login=login,
            email=f"{login}@uni.example",
            section=f"L{1 + student % 3}",
            on_roster=True,
        )
        if student % 5 == 1:
            add(schema.Nickname, student_id=student, nickname=f"Quick fox {student}", chosen_at=START)
        ability[student] = min(max(chance.gauss(0.72, 0.18), 0.05), 1.0)
        if student % 12 == 0:
            continue
        content = digest(login)
        if student % 12 == 11:
            content = digest("student1")
        elif student % 12 != 0:
            _measurements(add, content, student, chance)
        broken = student % 24 == 23
        add(
            schema.Submission,
            id=student,
            source="lab-1",
            label=f"{login}_lab.zip",
            digest="" if broken else content,
            submitted_at=START + timedelta(hours=student),
            attempt=1,
            late_days=1 if student % 10 == 0 else 0,
            problem="The archive has a path that leads outside of it." if broken else "",
        )
        add(schema.SubmissionStudent, submission_id=student, student_id=student)
    _runs(add, students, runs, names, worth, ability, chance, released=released, running=running)
    with engine.begin() as connection:
        for table in schema.Base.metadata.sorted_tables:
            for mapped, values in rows.items():
                if mapped.__table__ is table:
                    connection.execute(insert(table), values)
    return engine


def _runs(
    add: Any,
    students: int,
    runs: int,
    names: list[str],
    worth: float,
    ability: dict[int, float],
    chance: random.Random,
    *,
    released: int,
    running: bool,
) -> None:
    grading = 0
    for run in range(1, runs + 1):
        started = START + timedelta(days=run)
        add(schema.Settings, digest=digest(f"settings{run}"), document={})
        half = running and run == runs
        present = [student for student in range(1, students + 1) if student % 12]
        add(
            schema.Run,
            id=run,
            source="lab-1",
            grader_digest=digest("grader"),
            settings_digest=digest(f"settings{run}"),
            started_by="prof",
            started_at=started,
            finished_at=None if half else started + timedelta(minutes=20),
            state="running" if half else "finished",
            rule="latest",
            submissions=len(present),
            remarks=["1 file belongs to nobody on the roster: notes.txt"],
        )
        if run <= released:
            add(schema.Release, run_id=run, released_by="prof", released_at=started + timedelta(hours=1), note="")
        graded_contents: dict[str, int] = {}
        for place, student in enumerate(present):
            broken = student % 24 == 23
            content = digest("student1") if student % 12 == 11 else digest(f"student{student}")
            if half and place >= len(present) // 2:
                break
            if not broken and content not in graded_contents:
                grading += 1
                graded_contents[content] = grading
                _grading(
                    add, grading, run, content, student, names, worth, ability[student], chance, started + timedelta(seconds=2 * place)
                )
            add(
                schema.Entry,
                run_id=run,
                submission_id=student,
                grading_id=None if broken else graded_contents[content],
                cached=False,
                counts=True,
            )


def _grading(
    add: Any,
    grading: int,
    run: int,
    content: str,
    student: int,
    names: list[str],
    worth: float,
    ability: float,
    chance: random.Random,
    at: datetime,
) -> None:
    total = 0.0
    for position, name in enumerate(names):
        passed = chance.random() < ability - 0.25 * (position % 5) / 5
        crashed = not passed and chance.random() < 0.03
        earned = worth if passed else 0.0
        total += earned
        message = MESSAGES[(position + student) % len(MESSAGES)]
        told = {
            "summary": message,
            "comparison": ["expected 10", "received 8"],
            "help": "Look at the last batch.",
            "example": "",
            "where": "",
            "printed": "",
        }
        add(
            schema.Check,
            grading_id=grading,
            position=position,
            name=name,
            section=name.partition("/")[0],
            title=f"Check number {position} of the rubric",
            state="passed" if passed else "failed",
            cause="" if passed else "crash" if crashed else "student error",
            points=worth,
            earned=earned,
            duration_s=chance.uniform(0.05, 0.9),
            feedback=None if passed else told,
            command="" if passed else f"lab grade -k {name}",
            hidden=position % 2 == 1,
            digest=digest(name),
        )
    add(
        schema.Grading,
        id=grading,
        key=digest(f"{run}-{content}"),
        digest=content,
        grader_digest=digest("grader"),
        settings_digest=digest(f"settings{run}"),
        grader_version="0.1.0",
        isolation="zygote",
        official=True,
        started_at=at,
        finished_at=at + timedelta(seconds=9),
        duration_s=9.0,
        score=round(total, 2),
        points=100.0,
        undecided=0.0,
        notes=[],
    )


def _measurements(add: Any, content: str, student: int, chance: random.Random) -> None:
    speed = chance.uniform(0.7, 1.3)
    correct = int(chance.gauss(240, 40))
    add(
        schema.Content,
        digest=content,
        machine_id=1 + (student % 4 == 3),
        measured_at="2026-09-30T10:00:00Z",
        plan="standard",
        val_correct=correct,
        val_total=1000,
    )
    settings = [("online", count, 1, 0.012) for count in (10, 100, 1000)]
    settings += [("batches", 1000, size, cost) for size, cost in ((20, 0.004), (40, 0.0034), (100, 0.003), (200, 0.0029))]
    noise = 0.3 if student % 9 == 0 else 0.02
    for place, (mode, count, size, cost) in enumerate(settings):
        for repeat in range(10):
            total_s = count * cost * speed * (1 + abs(chance.gauss(0, noise)))
            add(schema.Sample, digest=content, mode=mode, setting=place, count=count, batch_size=size, repeat=repeat, total_s=total_s)
    for image in range(3):
        for position, (layer, duration_us) in enumerate(LAYERS.items()):
            add(
                schema.Kernel,
                digest=content,
                sample=image,
                position=position,
                layer=layer,
                kernel="_FusedConv2D" if layer.startswith("conv") else "_FusedMatMul",
                duration_us=duration_us * speed * chance.uniform(0.95, 1.1),
            )
    epochs = chance.randint(6, 13)
    for epoch in range(1, epochs + 1):
        grown = correct / 1000 * (1 - 0.7**epoch)
        add(
            schema.Epoch,
            digest=content,
            epoch=epoch,
            loss=5.3 * 0.88**epoch,
            accuracy=min(grown * 1.15, 1.0),
            val_loss=4.9 * 0.93 ** min(epoch, epochs - 2) + 0.01 * max(0, epoch - epochs + 2),
            val_accuracy=min(grown, 1.0),
        )
