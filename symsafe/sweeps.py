"""Many questions at once: a grid over problems, parameters, regrets and tolerances.

Serial, in processes, or on whatever offers the interface of `concurrent.futures` (a Dask cluster
does). What is answered is written to a results file at once, from which a killed sweep goes on.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import itertools
import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from symsafe.engine.limits import Limits
from symsafe.errors import EngineError, InputError, SymsafeError, UnsupportedError
from symsafe.exact import exact, format_fraction
from symsafe.model import SafetyProblem, dumps_problem
from symsafe.model.files import csv_text, make_folder, write_atomically
from symsafe.model.tables import read_list, read_path, read_table, require_instance, shown
from symsafe.verdict import Verdict, decide, radius

__all__ = ["SweepTable", "sweep"]

COLUMNS = (
    "problem",
    "question",
    "regret",
    "epsilon",
    "answer",
    "radius_lower",
    "radius_upper",
    "rests_on",
    "stopped",
    "nodes",
    "seconds",
    "certificate",
    "error",
)
MAX_RESULTS_BYTES = 1 << 30
_VERSION = 1

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SweepTable:
    """The answers of a sweep, one record a question, in the order of the grid.

    Attributes
    ----------
    records : tuple of dict
        With the keys ``problem`` (its name), ``parameters`` (name to value), ``question``
        (``"decide"`` or ``"radius"``), ``regret``, ``epsilon``, ``answer``, ``radius_lower``,
        ``radius_upper``, ``rests_on``, ``stopped``, ``nodes``, ``seconds``, ``certificate`` (the
        path of its file, or None) and ``error`` (why the question makes no sense and has no answer,
        why an answer's certificate could not be written, or None). Numbers are exact fraction
        strings.
    stopped : str or None
        ``"interrupted"`` if the sweep was; then questions without an answer are missing.
    """

    records: tuple[Record, ...]
    stopped: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every question has its answer: safe or unsafe, or an exact radius."""
        return self.stopped is None and all(
            record["error"] is None
            and record["rests_on"] == "certificate"
            and (
                record["radius_lower"] == record["radius_upper"]
                if record["question"] == "radius"
                else record["answer"] != "unknown"
            )
            for record in self.records
        )

    def to_csv(self, path: str | PathLike[str] | None = None) -> str:
        """Return the table as comma-separated values, and write it to `path` if one is given.

        Parameters have a column each, with their name, or with ``parameters.`` in front of it where
        it is that of another column.
        """
        rows = self.rows()
        text = csv_text(list(rows[0]) if rows else list(COLUMNS), [list(r.values()) for r in rows])
        if path is not None:
            write_atomically(path, text)
        return text

    def to_pandas(self) -> Any:
        """Return the table as a ``pandas.DataFrame`` of strings, which keep the numbers exact.

        Raises
        ------
        UnsupportedError
            If pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise UnsupportedError("a data frame needs pandas: pip install pandas") from None
        return pandas.DataFrame(self.rows())

    def rows(self) -> list[dict[str, str]]:
        """Return the table as text: one mapping from columns to cells for each question."""
        names = sorted({name for record in self.records for name in record["parameters"]})
        # No parameter has a dot in its name.
        columns = {name: f"parameters.{name}" if name in COLUMNS else name for name in names}
        return [
            {
                "problem": record["problem"],
                **{columns[name]: record["parameters"].get(name, "") for name in names},
                **{key: _cell(record[key]) for key in COLUMNS[1:]},
            }
            for record in self.records
        ]

    def __len__(self) -> int:
        return len(self.records)

    def __repr__(self) -> str:
        return f"SweepTable({len(self.records)} answers)"


@dataclass(frozen=True, slots=True)
class _Task:
    """One question; where it makes no sense, `problem` is None and `error` says why."""

    name: str
    parameters: dict[str, str]
    regret: str
    epsilon: str | None
    problem: SafetyProblem | None
    error: str | None
    time_limit: float | None
    node_limit: int | None
    certificates: str | None

    @property
    def key(self) -> str:
        """What makes two questions the same, so that an answer can be used again."""
        text = None if self.problem is None else dumps_problem(self.problem, "json")
        said: list[object] = [
            _VERSION,
            text,
            self.epsilon,
            self.time_limit,
            self.node_limit,
            self.certificates,
        ]
        if self.problem is None:
            said += [self.name, self.parameters, self.regret]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def sweep(
    problems: SafetyProblem | Mapping[str, SafetyProblem],
    *,
    epsilon: Sequence[object] = (),
    regret: Sequence[object] = (),
    parameters: Mapping[str, Sequence[object]] | None = None,
    results: str | PathLike[str] | None = None,
    certificates: str | PathLike[str] | None = None,
    time_limit: float | None = None,
    node_limit: int | None = None,
    workers: int = 1,
    executor: concurrent.futures.Executor | None = None,
    report: Callable[[int, int], None] | None = None,
) -> SweepTable:
    """Answer every question of a grid.

    Parameters
    ----------
    problems : SafetyProblem, or mapping from names to SafetyProblem
    epsilon : sequence of numbers, optional
        Tolerances: `decide` is asked at each of them. Without any, the exact `radius` is asked for.
    regret : sequence of numbers, optional
        Values of L, instead of that of the problem.
    parameters : mapping from names to sequences of numbers, optional
        Values for the parameters of the problems; all combinations are tried.
    results : path, optional
        A file of JSON lines. Answers in it are taken over, new ones are added as soon as they are
        there, so that the same call goes on where a killed one ended.
    certificates : path, optional
        A folder for the certificates, named by the digest of the question.
    time_limit, node_limit : optional
        For each question, as in `decide`.
    workers : int, default 1
        Processes. With more than one, a script needs the usual ``if __name__ == "__main__":``.
    executor : concurrent.futures.Executor, optional
        Where to compute instead: such as ``client.get_executor()`` of a Dask cluster.
    report : callable, optional
        Receives how many questions are answered, and how many there are.

    Returns
    -------
    SweepTable
        Every answer has passed the checker when it was found; `results` is trusted as one's own
        file. Whoever wants to verify again keeps `certificates`.

    Raises
    ------
    InputError
        For an empty grid, numbers that are none, a results file that is none. A grid point at which
        the question makes no sense (a constant reward, say) does not end the sweep: its record has
        an ``error``.

    Examples
    --------
    >>> from symsafe import MDP, DataDistribution, SafetyProblem
    >>> mdp = MDP.bandit({"s": {"a": "r", "b": "2/5", "c": 0}}, parameters={"r": (0, 1)})
    >>> data = DataDistribution.from_table(mdp, {"s": {"a": "1/10", "b": "9/20", "c": "9/20"}})
    >>> table = sweep(SafetyProblem(mdp, data, 1), parameters={"r": ["1/2", 1]})
    >>> [(record["parameters"]["r"], record["radius_lower"]) for record in table.records]
    [('1/2', '19/50'), ('1', '6/25')]
    """
    limits = Limits(time_limit, node_limit, workers)
    folder = None if certificates is None else read_path(certificates, "certificates")
    if folder is not None:
        make_folder(folder, "certificates")
    tasks = list(_tasks(problems, epsilon, regret, parameters, limits, folder))
    keys = [task.key for task in tasks]
    found = {} if results is None else _read_results(results)
    waiting = {key: task for key, task in zip(keys, tasks, strict=True) if key not in found}
    stopped = None

    def done(key: str, record: Record) -> None:
        if record["stopped"] == "interrupted":
            return
        found[key] = record
        if results is not None:
            _append(results, {"key": key, **record})
        if report is not None:
            report(sum(k in found for k in keys), len(keys))

    if executor is not None:
        stopped = _in_parallel(executor, waiting, done)
    elif limits.workers == 1:
        stopped = _in_series(waiting, done)
    else:
        # Not by fork: a copy of a process with running threads may hang.
        context = multiprocessing.get_context("spawn")
        count = min(limits.workers, max(1, len(waiting)))
        give_up = partial(_end_children, multiprocessing.active_children())
        with concurrent.futures.ProcessPoolExecutor(
            count, mp_context=context, initializer=_leave_interrupts
        ) as pool:
            stopped = _in_parallel(pool, waiting, done, give_up)
    # The same question may stand under several names.
    records = [
        {**found[key], "problem": task.name, "parameters": task.parameters}
        for key, task in zip(keys, tasks, strict=True)
        if key in found
    ]
    return SweepTable(tuple(records), stopped)


def _tasks(
    problems: SafetyProblem | Mapping[str, SafetyProblem],
    epsilon: Sequence[object],
    regret: Sequence[object],
    parameters: Mapping[str, Sequence[object]] | None,
    limits: Limits,
    folder: str | None,
) -> Iterator[_Task]:
    named = {"problem": problems} if isinstance(problems, SafetyProblem) else problems
    if not isinstance(named, Mapping) or not named:
        raise InputError("problems", problems, "a SafetyProblem, or names of at least one")
    read_table(named, "problems")
    tolerances: list[Fraction | None] = [*_numbers(epsilon, "epsilon")] or [None]
    regrets: list[Fraction | None] = [*_numbers(regret, "regret")] or [None]
    values = {
        name: _numbers(listed, f"parameters.{name}")
        for name, listed in read_table(
            {} if parameters is None else parameters, "parameters"
        ).items()
    }
    for name, listed in values.items():
        if not listed:
            raise InputError(f"parameters.{name}", "no values", "at least one")
    for name, problem in named.items():
        require_instance(problem, SafetyProblem, f"problems.{name}", "a SafetyProblem")
        for combination in itertools.product(*values.values()):
            point = dict(zip(values, combination, strict=True))
            for level, tolerance in itertools.product(regrets, tolerances):
                error, asked = None, None
                try:
                    asked = _at(problem, point, level, tolerance)
                except SymsafeError as refusal:
                    error = str(refusal)
                yield _Task(
                    name=name,
                    parameters={key: format_fraction(x) for key, x in point.items()},
                    regret=shown(problem.regret if level is None else level),
                    epsilon=None if tolerance is None else format_fraction(tolerance),
                    problem=asked,
                    error=error,
                    time_limit=limits.seconds,
                    node_limit=limits.nodes,
                    certificates=folder,
                )


def _numbers(given: object, field: str) -> list[Fraction]:
    listed = read_list(given, field, "a list of numbers, of a single one as well")
    return [exact(x, f"{field}[{i}]") for i, x in enumerate(listed)]


def _at(
    problem: SafetyProblem,
    point: Mapping[str, Fraction],
    regret: Fraction | None,
    epsilon: Fraction | None,
) -> SafetyProblem:
    ground = problem.at(**point) if point else problem
    ground.require_ground()
    return replace(
        ground,
        regret=ground.regret if regret is None else regret,
        epsilon=ground.epsilon if epsilon is None else epsilon,
    )


def _solve(task: _Task, key: str) -> Record:
    """Answer one question; runs in a worker."""
    record: Record = dict.fromkeys(COLUMNS)
    record |= {"problem": task.name, "parameters": task.parameters}
    record |= {"regret": task.regret, "epsilon": task.epsilon, "error": task.error}
    ask = radius if task.epsilon is None else decide
    record["question"] = ask.__name__
    if task.problem is None:
        return record
    try:
        verdict: Verdict = ask(task.problem, time_limit=task.time_limit, node_limit=task.node_limit)
    except SymsafeError as refusal:
        record["error"] = str(refusal)
        return record
    if task.certificates is not None and verdict.certificate is not None:
        path = str(Path(task.certificates) / f"{key}.json")
        try:
            verdict.certificate.save(path)
            record["certificate"] = path
        except InputError as refusal:  # the answer is worth keeping
            record["error"] = str(refusal)
    return record | {
        "regret": format_fraction(exact(task.problem.regret)),
        "epsilon": None if verdict.epsilon is None else format_fraction(verdict.epsilon),
        "answer": verdict.answer,
        "radius_lower": format_fraction(verdict.lower),
        "radius_upper": None if verdict.upper is None else format_fraction(verdict.upper),
        "rests_on": verdict.rests_on,
        "stopped": verdict.statistics.stopped,
        "nodes": verdict.statistics.nodes,
        "seconds": round(verdict.statistics.seconds, 3),
    }


def _in_series(waiting: Mapping[str, _Task], done: Callable[[str, Record], None]) -> str | None:
    with Limits() as limits:
        for key, task in waiting.items():
            done(key, _solve(task, key))
            if limits.interrupted:
                return "interrupted"
    return None


def _in_parallel(
    executor: concurrent.futures.Executor,
    waiting: Mapping[str, _Task],
    done: Callable[[str, Record], None],
    give_up: Callable[[], None] = lambda: None,
) -> str | None:
    futures = {executor.submit(_solve, task, key): key for key, task in waiting.items()}
    written = set()
    stopped = None
    try:
        for future in concurrent.futures.as_completed(futures):
            written.add(future)
            record = future.result()
            if record["stopped"] == "interrupted":
                stopped = "interrupted"
            done(futures[future], record)
    except KeyboardInterrupt:
        stopped = "interrupted"
        for future in futures:
            future.cancel()
        give_up()
        for future in concurrent.futures.wait(futures).done - written:
            if not future.cancelled() and future.exception() is None:
                done(futures[future], future.result())
    except concurrent.futures.BrokenExecutor:
        raise EngineError(
            "a process of the sweep was killed, by the system if memory ran out; "
            "what was answered is in the results file"
        ) from None
    return stopped


def _end_children(before: Sequence[multiprocessing.process.BaseProcess]) -> None:
    """End the processes that were started since then: an unfinished answer is worth nothing."""
    for child in multiprocessing.active_children():
        if child not in before:
            child.terminate()


def _leave_interrupts() -> None:
    """Let Ctrl-C end the search of a worker, as always, but not the idle worker itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _read_results(path: str | PathLike[str]) -> dict[str, Record]:
    """Return the answers of a results file, from which a line that a kill cut off is removed."""
    name = read_path(path, "results")
    if os.path.exists(name) and not os.path.isfile(name):
        raise InputError("results", name, "a regular file, which can be read and added to")
    try:
        with open(name, encoding="utf-8", newline="\n") as file:
            text = file.read(MAX_RESULTS_BYTES + 1)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError("results", name, f"a readable file ({reason})") from None
    if len(text) > MAX_RESULTS_BYTES:
        raise InputError("results", name, f"at most {MAX_RESULTS_BYTES} characters")
    whole, newline, rest = text.rpartition("\n")
    found = {}
    for number, line in enumerate(whole.split("\n") if newline else [], 1):
        record = _read_record(line)
        if record is None:
            raise InputError(f"{name}, line {number}", line, "a record of a sweep")
        found[record.pop("key")] = record
    if rest:
        if not rest.startswith("{"):
            raise InputError(f"{name}, last line", rest, "a record of a sweep")
        write_atomically(name, whole + newline)
    return found


def _read_record(line: str) -> Record | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or set(record) != {"key", "parameters", *COLUMNS}:
        return None
    return record if isinstance(record["key"], str) else None


def _append(path: str | PathLike[str], record: Record) -> None:
    try:
        with open(path, "a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        expected = f"a file that can be written to ({error.strerror})"
        raise InputError("results", os.fspath(path), expected) from None


def _cell(value: object) -> str:
    return "" if value is None else str(value)
