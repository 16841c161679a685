"""The class's database for instructors: SQL that aggregates in the database. A student cannot even make a `WholeClass`."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dashboard.access import Ask, Viewer, require_instructor
from dashboard.measured import BATCH, ONLINE


class WholeClass:
    """A class's database.

    Args:
        ask: Runs a query.
        viewer: Who looks.

    Raises:
        Refused: The viewer is not an instructor.
    """

    def __init__(self, ask: Ask, viewer: Viewer) -> None:
        require_instructor(viewer)
        self._query = ask

    def runs(self) -> pd.DataFrame:
        """Every run, newest first.

        Returns:
            `id`, `source`, `state`, `started_by`, `started_at`, `finished_at`, `submissions`, `rule`, `remarks`, `graded`, `released`.
        """
        return self._ask(
            "SELECT r.id, r.source, r.state, r.started_by, r.started_at, r.finished_at, r.submissions, r.rule, r.remarks, "
            "(SELECT COUNT(*) FROM entries e LEFT JOIN gradings g ON g.id = e.grading_id WHERE e.run_id = r.id "
            "AND (e.grading_id IS NULL OR g.finished_at IS NOT NULL)) AS graded, "
            "(SELECT COUNT(*) FROM releases l WHERE l.run_id = r.id) AS released FROM runs r ORDER BY r.id DESC"
        )

    def results(self, run_id: int) -> pd.DataFrame:
        """A row for each submission of a run that counts, with its students' names.

        Returns:
            `submission_id`, `students`, `login`, `section`, `label`, `attempt`, `late_days`, `problem`,
            `score` (adjusted; NaN when not graded), `points`, `undecided`, `adjusted`, `graded`.
        """
        frame = self._ask(
            "SELECT s.id AS submission_id, st.name, st.login, st.section, s.label, s.attempt, s.late_days, s.problem, "
            "CASE WHEN g.finished_at IS NULL THEN NULL ELSE g.score END AS score, g.points, g.undecided, "
            "COALESCE(ad.points, 0) AS adjusted "
            "FROM entries e JOIN submissions s ON s.id = e.submission_id LEFT JOIN gradings g ON g.id = e.grading_id "
            "LEFT JOIN submission_students ss ON ss.submission_id = s.id LEFT JOIN students st ON st.id = ss.student_id "
            "LEFT JOIN (SELECT submission_id, SUM(points) AS points FROM adjustments GROUP BY submission_id) ad ON ad.submission_id = s.id "
            "WHERE e.run_id = :run AND e.counts ORDER BY st.name, s.label",
            run=run_id,
        )
        frame["score"] = pd.to_numeric(frame["score"]) + pd.to_numeric(frame["adjusted"])
        frame["graded"] = frame["score"].notna()
        for name in ("name", "login", "section"):
            frame[name] = frame[name].fillna("")
        whole = frame.drop_duplicates("submission_id").set_index("submission_id")
        if whole.index.size == len(frame):
            return frame.rename(columns={"name": "students"})
        joined = frame.groupby("submission_id", sort=False)
        for name in ("name", "login", "section"):
            whole[name] = joined[name].agg(lambda values: " and ".join(dict.fromkeys(value for value in values if value)))
        return whole.reset_index().rename(columns={"name": "students"})

    def missing(self, run_id: int) -> pd.DataFrame:
        """Students on the roster without a submission in a run: `name`, `login`, `section`."""
        return self._ask(
            "SELECT st.name, st.login, st.section FROM students st WHERE st.on_roster AND st.id NOT IN ("
            "SELECT ss.student_id FROM entries e JOIN submission_students ss ON ss.submission_id = e.submission_id "
            "WHERE e.run_id = :run) ORDER BY st.name",
            run=run_id,
        )

    def items(self, run_id: int) -> pd.DataFrame:
        """Every check of a run with the sums that item analysis needs; `x` is the share earned, `y` the rest of the score."""
        return self._ask(
            """
            SELECT c.name, MIN(c.title) AS title, MIN(c.position) AS position, MAX(c.points) AS points, COUNT(*) AS students,
                SUM(CASE WHEN c.state = 'passed' THEN 1 ELSE 0 END) AS passed,
                SUM(CASE WHEN c.state = 'not started' THEN 1 ELSE 0 END) AS not_started,
                AVG(c.duration_s) AS mean_s, MAX(c.duration_s) AS longest_s,
                SUM(c.earned / c.points) AS sum_x, SUM(g.score - c.earned) AS sum_y,
                SUM((c.earned / c.points) * (c.earned / c.points)) AS sum_xx,
                SUM((g.score - c.earned) * (g.score - c.earned)) AS sum_yy,
                SUM((c.earned / c.points) * (g.score - c.earned)) AS sum_xy
            FROM entries e JOIN gradings g ON g.id = e.grading_id JOIN checks c ON c.grading_id = g.id
            WHERE e.run_id = :run AND e.counts AND c.points > 0 AND c.state <> 'undecided' AND g.finished_at IS NOT NULL
            GROUP BY c.name ORDER BY position, c.name
            """,
            run=run_id,
        )

    def failures(self, run_id: int, check_name: str, most: int = 15) -> pd.DataFrame:
        """The most frequent messages of one check: `message`, `cause`, `students`."""
        return self._ask(
            "SELECT c.feedback ->> 'summary' AS message, c.cause, COUNT(*) AS students "
            "FROM entries e JOIN checks c ON c.grading_id = e.grading_id "
            "WHERE e.run_id = :run AND e.counts AND c.name = :name AND c.state <> 'passed' AND c.feedback IS NOT NULL "
            f"GROUP BY 1, 2 ORDER BY 3 DESC, 1 LIMIT {int(most)}",
            run=run_id,
            name=check_name,
        )

    def sample_totals(self, run_id: int) -> pd.DataFrame:
        """Every setting that a submission timed.

        Returns:
            `submission_id`, `students`, `mode`, `count`, `batch_size`, `samples`, `images_per_second`
            (mean over repeats), `least_s`, `mean_s`, `variation` (coefficient of variation), `cpu`, `cores`.
        """
        frame = self._ask(
            """
            SELECT s.id AS submission_id, MIN(st.name) AS students, p.mode, p.count, p.batch_size, COUNT(DISTINCT p.repeat) AS samples,
                MIN(p.total_s) AS least_s, AVG(p.total_s) AS mean_s, AVG(p.total_s * p.total_s) AS mean_square, m.cpu, m.cores
            FROM entries e JOIN submissions s ON s.id = e.submission_id JOIN samples p ON p.digest = s.digest
            LEFT JOIN submission_students ss ON ss.submission_id = s.id LEFT JOIN students st ON st.id = ss.student_id
            LEFT JOIN contents c ON c.digest = s.digest LEFT JOIN machines m ON m.id = c.machine_id
            WHERE e.run_id = :run AND e.counts AND p.count > 0 AND p.batch_size > 0
            GROUP BY s.id, p.mode, p.setting, p.count, p.batch_size, m.cpu, m.cores ORDER BY s.id, p.mode, p.setting
            """,
            run=run_id,
        )
        variance = (frame["mean_square"] - frame["mean_s"] ** 2).clip(lower=0) * frame["samples"] / (frame["samples"] - 1).clip(lower=1)
        frame["variation"] = variance**0.5 / frame["mean_s"]
        frame["images_per_second"] = frame["count"] / frame["mean_s"]
        frame["mode"] = frame["mode"].map({"online": ONLINE, "batches": BATCH})
        return frame.drop(columns="mean_square")

    def curves(self, run_id: int) -> pd.DataFrame:
        """Validation curves of the class: `submission_id`, `students`, `epoch`, `accuracy`, `val_accuracy`, `val_loss`."""
        return self._ask(
            "SELECT s.id AS submission_id, MIN(st.name) AS students, k.epoch, k.accuracy, k.val_accuracy, k.val_loss "
            "FROM entries e JOIN submissions s ON s.id = e.submission_id JOIN curves k ON k.digest = s.digest "
            "LEFT JOIN submission_students ss ON ss.submission_id = s.id LEFT JOIN students st ON st.id = ss.student_id "
            "WHERE e.run_id = :run AND e.counts GROUP BY s.id, k.epoch, k.accuracy, k.val_accuracy, k.val_loss ORDER BY s.id, k.epoch",
            run=run_id,
        )

    def look_into(self, run_id: int) -> pd.DataFrame:
        """Checks that ended in a way worth a look: `submission_id`, `students`, `name`, `state`, `cause`, `message`."""
        return self._ask(
            "SELECT s.id AS submission_id, st.name AS students, c.name, c.state, c.cause, c.feedback ->> 'summary' AS message "
            "FROM entries e JOIN submissions s ON s.id = e.submission_id JOIN checks c ON c.grading_id = e.grading_id "
            "LEFT JOIN submission_students ss ON ss.submission_id = s.id LEFT JOIN students st ON st.id = ss.student_id "
            "WHERE e.run_id = :run AND e.counts "
            "AND (c.state = 'undecided' OR c.cause IN ('crash', 'out of memory', 'time-out', 'grader fault')) "
            "ORDER BY st.name, c.position",
            run=run_id,
        )

    def same_content(self, run_id: int) -> pd.DataFrame:
        """Different students whose submissions are the same, byte for byte: `digest`, `students` (joined names), `submissions`."""
        frame = self._ask(
            "SELECT s.digest, st.name FROM entries e JOIN submissions s ON s.id = e.submission_id "
            "JOIN submission_students ss ON ss.submission_id = s.id JOIN students st ON st.id = ss.student_id "
            "WHERE e.run_id = :run AND e.counts AND s.digest <> '' AND s.digest IN ("
            "SELECT s2.digest FROM entries e2 JOIN submissions s2 ON s2.id = e2.submission_id WHERE e2.run_id = :run AND e2.counts "
            "GROUP BY s2.digest HAVING COUNT(*) > 1) ORDER BY s.digest, st.name",
            run=run_id,
        )
        grouped = frame.groupby("digest")["name"]
        return grouped.agg(students=", ".join, submissions="size").reset_index()

    def compare(self, before: int, after: int) -> pd.DataFrame:
        """Scores of two runs side by side: `students`, `label`, `before`, `after`, `change`; NaN where a run has no such submission."""
        columns = ["students", "label", "score"]
        old, new = self.results(before)[columns], self.results(after)[columns]
        frame = old.merge(new, on=["students", "label"], how="outer", suffixes=("_before", "_after"))
        frame = frame.rename(columns={"score_before": "before", "score_after": "after"})
        frame["change"] = frame["after"] - frame["before"]
        return frame

    def changed_checks(self, before: int, after: int) -> pd.DataFrame:
        """Checks whose result differs between two runs of the same class: `name`, `better`, `worse`."""
        return self._ask(
            """
            SELECT a.name, SUM(CASE WHEN b.earned > a.earned THEN 1 ELSE 0 END) AS better,
                SUM(CASE WHEN b.earned < a.earned THEN 1 ELSE 0 END) AS worse
            FROM entries ea JOIN entries eb ON eb.submission_id = ea.submission_id AND eb.run_id = :after
            JOIN checks a ON a.grading_id = ea.grading_id JOIN checks b ON b.grading_id = eb.grading_id AND b.name = a.name
            WHERE ea.run_id = :before AND ea.grading_id <> eb.grading_id AND a.earned <> b.earned GROUP BY a.name ORDER BY a.name
            """,
            before=before,
            after=after,
        )

    def progress(self, run_id: int) -> pd.DataFrame:
        """How far a run is: `state`, `submissions`, `entries`, `graded`, `cached`, `failed` (cannot be taken), `started_at`, `latest`."""
        return self._ask(
            "SELECT r.state, r.submissions, r.started_at, r.finished_at, COUNT(e.submission_id) AS entries, "
            "SUM(CASE WHEN g.finished_at IS NOT NULL THEN 1 ELSE 0 END) AS graded, "
            "SUM(CASE WHEN e.cached THEN 1 ELSE 0 END) AS cached, "
            "SUM(CASE WHEN e.submission_id IS NOT NULL AND e.grading_id IS NULL THEN 1 ELSE 0 END) AS failed, MAX(g.finished_at) AS latest "
            "FROM runs r LEFT JOIN entries e ON e.run_id = r.id LEFT JOIN gradings g ON g.id = e.grading_id "
            "WHERE r.id = :run GROUP BY r.id, r.state, r.submissions, r.started_at, r.finished_at",
            run=run_id,
        )

    def adjustments(self, run_id: int) -> pd.DataFrame:
        """Every change by a person on a run's submissions, newest first."""
        return self._ask(
            "SELECT a.made_at, a.made_by, s.label, a.check_name, a.points, a.reason FROM adjustments a "
            "JOIN submissions s ON s.id = a.submission_id JOIN entries e ON e.submission_id = s.id AND e.run_id = :run ORDER BY a.id DESC",
            run=run_id,
        )

    def releases(self, run_id: int) -> pd.DataFrame:
        """Every time a run's grades were given back: `released_at`, `released_by`, `note`."""
        return self._ask("SELECT released_at, released_by, note FROM releases WHERE run_id = :run ORDER BY id DESC", run=run_id)

    def _ask(self, sql: str, **parameters: Any) -> pd.DataFrame:
        return self._query(sql, parameters)
