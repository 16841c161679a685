"""One submission in the class's database, as one viewer may see it: who looks is in every query.

An instructor sees every submission, a student their own once it was given back. What a student asks of others comes back without names.
What only instructors see is in `whole_class`.
"""

from __future__ import annotations

import json
from typing import Any, Final

import pandas as pd

from dashboard.access import Ask, Refused, Viewer
from dashboard.measured import BATCH, EPOCH_COLUMNS, KERNEL_COLUMNS, ONLINE, SAMPLE_COLUMNS, Measured
from dashboard.subject import ATTEMPT_COLUMNS, Subject
from grader.results import Cause, CheckResult, Feedback, GradeResult, State

FEWEST_PEERS: Final = 5
"""Others on the same kind of machine from which a comparison is shown; with fewer, a value would name somebody."""

# Rows that this viewer may see of entries `e` and submissions `s`: all for an instructor; for a student their own, once given back.
_MAY_SEE: Final = """
(:everything = 1 OR (
    EXISTS (SELECT 1 FROM submission_students mine WHERE mine.submission_id = s.id AND mine.student_id = :me)
    AND EXISTS (SELECT 1 FROM releases given WHERE given.run_id = e.run_id)))
"""
_ADJUSTED: Final = "(SELECT COALESCE(SUM(a.points), 0) FROM adjustments a WHERE a.submission_id = s.id)"


class Classroom:
    """A class's database.

    Args:
        ask: Runs a query.
        viewer: Who looks.
    """

    def __init__(self, ask: Ask, viewer: Viewer) -> None:
        self._query = ask
        self.viewer = viewer

    # One student

    def own_subject(self) -> Subject:
        """The student's latest submission that was given back.

        Raises:
            Refused: The viewer is no student of this class.
        """
        if self.viewer.student_id is None:
            raise Refused("You are not a student of this class; instructors find submissions under Submissions.")
        rows = self._ask(
            f"SELECT e.run_id, e.submission_id FROM entries e JOIN submissions s ON s.id = e.submission_id WHERE {_MAY_SEE} "
            "ORDER BY e.counts DESC, e.run_id DESC, s.attempt DESC LIMIT 1"
        )
        if rows.empty:
            return Subject(self.viewer.name, None, Measured())
        return self.subject(int(rows["run_id"].iloc[0]), int(rows["submission_id"].iloc[0]))

    def subject(self, run_id: int, submission_id: int) -> Subject:
        """One submission with its grade in one run.

        Raises:
            Refused: There is none, or it is not the viewer's to see; both sound alike.
        """
        rows = self._ask(
            "SELECT s.id, s.label, s.digest, s.problem, g.id AS grading_id, g.official, g.grader_version, g.isolation, g.started_at, "
            "g.duration_s, g.notes, c.val_correct, c.val_total, c.measured_at, c.plan, m.cpu, m.cores, m.system, m.tensorflow "
            "FROM entries e JOIN submissions s ON s.id = e.submission_id LEFT JOIN gradings g ON g.id = e.grading_id "
            "LEFT JOIN contents c ON c.digest = s.digest LEFT JOIN machines m ON m.id = c.machine_id "
            f"WHERE e.run_id = :run AND s.id = :submission AND {_MAY_SEE}",
            run=run_id,
            submission=submission_id,
        )
        if rows.empty:
            raise Refused("There is no such submission for you to see.")
        row = rows.iloc[0]
        names = self._ask(
            "SELECT st.name FROM students st JOIN submission_students ss ON ss.student_id = st.id WHERE ss.submission_id = :submission "
            "AND (:everything = 1 OR EXISTS (SELECT 1 FROM submission_students mine WHERE mine.submission_id = :submission "
            "AND mine.student_id = :me)) ORDER BY st.name",
            submission=submission_id,
        )
        grade = None if pd.isna(row["grading_id"]) else self._grade(row)
        adjustments = self._ask(
            "SELECT a.points, a.check_name, a.reason, a.made_by, a.made_at FROM adjustments a JOIN submissions s ON s.id = a.submission_id "
            "JOIN entries e ON e.submission_id = s.id AND e.run_id = :run "
            f"WHERE s.id = :submission AND {_MAY_SEE} ORDER BY a.id",
            run=run_id,
            submission=submission_id,
        )
        problem = (str(row["problem"]),) if row["problem"] else ()
        return Subject(
            " and ".join(names["name"]) or str(row["label"]),
            grade,
            self._measured(row),
            self._attempts(submission_id),
            None,
            problem,
            adjustments,
        )

    def _grade(self, row: pd.Series) -> GradeResult:
        # The caller's query has checked that this grading is the viewer's to see.
        checks = self._ask(
            "SELECT name, title, state, cause, points, earned, duration_s, feedback, command, hidden FROM checks "
            "WHERE grading_id = :grading ORDER BY position",
            grading=int(row["grading_id"]),
        )
        return GradeResult(
            str(row["label"]),
            str(row["digest"]),
            tuple(self._shown(_check(check)) for check in checks.to_dict("records")),
            bool(row["official"]),
            str(row["grader_version"]),
            str(row["isolation"]),
            str(row["started_at"]),
            float(row["duration_s"]),
            tuple(_json(row["notes"]) or ()),
        )

    def _shown(self, check: CheckResult) -> CheckResult:
        # What an example drawn from the course's secret says is for instructors only.
        return check if self.viewer.instructor else check.for_student()

    def _measured(self, row: pd.Series) -> Measured:
        digest = str(row["digest"])
        kernels = self._ask(
            "SELECT sample, layer, kernel, duration_us FROM kernels WHERE digest = :digest ORDER BY sample, position", digest=digest
        )
        kernels["image"] = "" if kernels.empty else kernels["sample"].map("image {}".format)
        samples = self._ask(
            "SELECT mode, count, batch_size, repeat, total_s FROM samples WHERE digest = :digest AND count > 0 AND batch_size > 0 "
            "ORDER BY mode, setting, repeat",
            digest=digest,
        )
        samples["mode"] = samples["mode"].map({"online": ONLINE, "batches": BATCH})
        epochs = self._ask(
            "SELECT epoch, loss, accuracy, val_loss, val_accuracy FROM curves WHERE digest = :digest ORDER BY epoch", digest=digest
        )
        machine = {}
        if not pd.isna(row["cpu"]):
            machine = {"CPU": str(row["cpu"]), "cores": str(int(row["cores"])), "system": str(row["system"])}
            machine |= {"TensorFlow": str(row["tensorflow"]), "measured at": str(row["measured_at"]), "plan": str(row["plan"])}
        return Measured(
            kernels=kernels[list(KERNEL_COLUMNS)],
            samples=samples[list(SAMPLE_COLUMNS)],
            epochs=epochs[list(EPOCH_COLUMNS)],
            machine=machine,
            val_correct=0 if pd.isna(row["val_correct"]) else int(row["val_correct"]),
            val_total=0 if pd.isna(row["val_total"]) else int(row["val_total"]),
        )

    def _attempts(self, submission_id: int) -> pd.DataFrame:
        frame = self._ask(
            'SELECT s.attempt, s.submitted_at AS "when", '
            f"MAX(g.score) + {_ADJUSTED} AS score, MAX(g.points) AS points, s.id AS submission_id "
            "FROM submissions s JOIN entries e ON e.submission_id = s.id JOIN gradings g ON g.id = e.grading_id "
            "WHERE EXISTS (SELECT 1 FROM submission_students a JOIN submission_students b ON a.student_id = b.student_id "
            f"WHERE a.submission_id = s.id AND b.submission_id = :submission) AND {_MAY_SEE} "
            "GROUP BY s.id, s.attempt, s.submitted_at ORDER BY s.attempt",
            submission=submission_id,
        )
        frame["when"] = pd.to_datetime(frame["when"], utc=True, errors="coerce")
        return frame[list(ATTEMPT_COLUMNS)]

    # The class, without names

    def peers(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The viewer's own figures, and those of others on the same kind of machine, without names and in no telling order.

        Returns:
            Two frames with `measure` and `value`: throughput in batches, latency of one image, validation accuracy. The second one is empty
            below `FEWEST_PEERS` others.

        Raises:
            Refused: The viewer is no student of this class.
        """
        me = self.viewer.student_id
        if me is None:
            raise Refused("You are not a student of this class.")
        rows = self._ask(
            """
            WITH latest AS (
                SELECT s.digest, MAX(CASE WHEN ss.student_id = :me THEN 1 ELSE 0 END) AS own
                FROM entries e JOIN submissions s ON s.id = e.submission_id JOIN submission_students ss ON ss.submission_id = s.id
                WHERE e.counts AND s.digest <> '' AND e.run_id = (
                    SELECT MAX(f.run_id) FROM entries f JOIN submission_students fs ON fs.submission_id = f.submission_id
                    JOIN releases r ON r.run_id = f.run_id WHERE fs.student_id = :me AND f.counts)
                GROUP BY s.digest),
            kind AS (
                SELECT m.cpu, m.cores, m.tensorflow FROM latest l JOIN contents c ON c.digest = l.digest
                JOIN machines m ON m.id = c.machine_id WHERE l.own = 1),
            alike AS (
                SELECT l.digest, l.own, c.val_correct, c.val_total FROM latest l JOIN contents c ON c.digest = l.digest
                JOIN machines m ON m.id = c.machine_id JOIN kind k ON k.cpu = m.cpu AND k.cores = m.cores AND k.tensorflow = m.tensorflow)
            SELECT a.own, 'images a second in batches' AS measure, MAX(p.count / p.total_s) AS value
                FROM alike a JOIN samples p ON p.digest = a.digest AND p.mode = 'batches' AND p.count > 0 GROUP BY a.digest, a.own
            UNION ALL
            SELECT a.own, 'latency of one image, ms', MIN(p.total_s / p.count) * 1000
                FROM alike a JOIN samples p ON p.digest = a.digest AND p.mode = 'online' AND p.count > 0 GROUP BY a.digest, a.own
            UNION ALL
            SELECT own, 'validation accuracy', val_correct * 1.0 / val_total FROM alike WHERE val_total > 0 AND val_correct <= val_total
            ORDER BY 2, 3
            """
        )
        others = rows[rows["own"] == 0]
        enough = others.groupby("measure")["value"].transform("size") >= FEWEST_PEERS if len(others) else pd.Series(dtype=bool)
        return rows[rows["own"] == 1][["measure", "value"]], others[enough][["measure", "value"]] if len(others) else others[
            ["measure", "value"]
        ]

    def nickname(self) -> str:
        """The viewer's name on the leaderboard; empty when they do not take part."""
        found = self._ask("SELECT nickname FROM nicknames WHERE student_id = :me")
        return "" if found.empty else str(found["nickname"].iloc[0])

    def leaderboard(self, run_id: int | None = None) -> pd.DataFrame:
        """Those who chose to take part, under the names they chose.

        Args:
            run_id: The run, for an instructor; a student sees the newest that was given back.

        Returns:
            `nickname`, `validation accuracy`, `images a second` (best batch size), `batch over online`, `CPU`.
        """
        frame = self._ask(
            """
            SELECT n.nickname, c.val_correct * 1.0 / c.val_total AS "validation accuracy", t.batches AS "images a second",
                t.batches / t.online AS "batch over online", m.cpu AS "CPU"
            FROM nicknames n JOIN submission_students ss ON ss.student_id = n.student_id JOIN submissions s ON s.id = ss.submission_id
            JOIN entries e ON e.submission_id = s.id AND e.counts JOIN contents c ON c.digest = s.digest AND c.val_total > 0
                AND c.val_correct <= c.val_total
            LEFT JOIN machines m ON m.id = c.machine_id
            LEFT JOIN (SELECT digest, MAX(CASE WHEN mode = 'batches' THEN rate END) AS batches,
                    MAX(CASE WHEN mode = 'online' THEN rate END) AS online
                FROM (SELECT digest, mode, setting, AVG(count / total_s) AS rate FROM samples GROUP BY digest, mode, setting) settings
                GROUP BY digest) t ON t.digest = c.digest
            WHERE e.run_id = (CASE WHEN :everything = 1 AND :run > 0 THEN :run ELSE (SELECT MAX(run_id) FROM releases) END)
            ORDER BY n.nickname
            """,
            run=run_id or 0,
        )
        return frame.round({"validation accuracy": 4, "images a second": 1, "batch over online": 2})

    def _ask(self, sql: str, **parameters: Any) -> pd.DataFrame:
        asked: dict[str, Any] = dict(parameters)
        if ":everything" in sql:
            asked["everything"] = int(self.viewer.instructor)
        if ":me" in sql:
            # No student has the number 0, so nobody is taken for one.
            asked["me"] = self.viewer.student_id or 0
        return self._query(sql, asked)


def _json(value: Any) -> Any:
    """A JSON column as PostgreSQL (an object) or SQLite (its text) gives it."""
    return json.loads(value) if isinstance(value, str) else value


def _check(row: dict[str, Any]) -> CheckResult:
    told = _json(row["feedback"])
    feedback = Feedback(**{**told, "comparison": tuple(told.get("comparison", ()))}) if isinstance(told, dict) else None
    return CheckResult(
        str(row["name"]),
        str(row["title"]),
        State(row["state"]),
        float(row["points"]),
        float(row["earned"]),
        float(row["duration_s"]),
        Cause(row["cause"]) if row["cause"] else None,
        feedback,
        str(row["command"]),
        bool(row["hidden"]),
    )
