"""Change symsafe/checker.py in small ways, one at a time: do the tests notice?

python benchmarks/mutation.py [NAME ...] [--processes 2]

Mutants: the operators of mutmut on the body of every function and on the constants, and every
statement that is a call or a refusal left out. A mutant is killed by a case of
tests/conformance.json.gz with another outcome, step or rule, by a test that fails, by an error, or
by the limits of time and memory. NAME restricts the run to functions (`Tree.hitting`, or the class
`Tree`; `constants` for what is outside of functions).

Mutants that change nothing but the words or the place of a refusal are counted, but not tried. The
survivors have to be in tests/surviving_mutants.toml, with a reason; those that survive the
conformance suite and are listed are not tried on the tests again. Those that are not listed are
printed as they are found, and the exit status is 1. Each function as it is has to withstand the
trials of its mutants, or they would prove nothing.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import json
import os
import re
import resource
import signal
import sys
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import libcst as cst
import pytest
from mutmut.mutation.mutators import mutation_operators

from symsafe import checker

_TESTS = Path(__file__).resolve().parent.parent / "tests"
_LIST = _TESTS / "surviving_mutants.toml"
_SUITES = (
    "test_checker.py",
    "test_bandit.py",
    "test_refusals.py",
    "test_limits.py",
    "test_work.py",
    "test_conformance.py::test_a_claim_about_a_set_says_so",
    "test_conformance.py::test_a_claim_says_what_it_is_about",
    "test_conformance.py::test_no_step_of_work_is_given_back",
    "test_coverage.py::test_each_forgery_is_refused_by_its_rule",
    "test_coverage.py::test_a_row_and_its_multiple_are_the_same",
    "test_coverage.py::test_claims_about_sets_have_no_regularizer",
    "test_robust.py::test_a_cell_may_be_cut_and_an_empty_side_need_not_be_proven",
    "test_robust.py::test_a_row_and_its_multiple_are_the_same",
    "test_robust.py::test_each_forgery_is_refused_by_its_rule",
    "test_robust.py::test_rows_that_say_nothing_cost_steps",
    "test_robust.py::test_no_pair_has_more_than_all_data",
    "test_samples.py::test_data_that_are_safe_below_a_tolerance_are_not_safe_at_it",
    "test_samples.py::test_each_forgery_is_refused_by_its_rule",
    "test_samples.py::test_both_sides_of_a_cut_are_later_nodes_of_their_own",
    "test_samples.py::test_a_multiplier_above_an_eighth_proves_two_samples",
    "test_samples.py::test_cuts_that_wait_are_bounded",
    "test_regularised.py::test_each_forgery_is_refused_by_its_rule",
    "test_regularised.py::test_each_forged_gap_is_refused_by_its_rule",
    "test_regularised.py::test_a_gap_may_use_occupancy_bounds",
    "test_regularised.py::test_the_flow_of_a_gap_has_bounds_where_all_else_holds",
    "test_regularised.py::test_no_certificate_proves_a_billionth_more",
    "test_regularised.py::test_an_occupancy_below_0_is_refused_where_it_stands",
    "test_regularised.py::test_chi2_needs_a_reference_that_meets_whatever_is_reached",
    "test_kl_certificates.py",
    "test_enclosures.py",
    "test_kl.py::test_a_regret_that_no_optimum_has_makes_every_tolerance_safe",
    "test_family.py::test_the_small_certificate_is_valid",
    "test_family.py::test_a_domain_on_the_edge_of_a_cell_is_not_said_to_be_safe",
    "test_family.py::test_a_certificate_is_refused_as_a_whole",
    "test_family.py::test_products_of_polynomials_are_bounded",
    "test_family.py::test_a_table_on_a_box_is_refused_before_it_is_made",
    "test_family.py::test_false_shares_are_refused",
    "test_family.py::test_cells_must_cover_the_box",
    "test_family.py::test_an_open_cell_is_not_a_closed_one",
    "test_family.py::test_a_proof_of_one_cell_does_not_serve_another",
    "test_family.py::test_each_rule_of_a_proof_is_checked",
    "test_family.py::test_lists_of_a_wrong_length_are_refused",
    "test_family.py::test_errors_of_a_witness_are_those_of_its_values",
    "test_family.py::test_a_family_in_which_nothing_matters_is_not_unsafe",
    "test_family.py::test_both_checkers_see_the_same_signs",
    "test_family.py::test_looking_for_a_sign_is_counted",
    "test_family.py::test_a_circulation_may_take_from_forced_pairs_alone",
    "test_family.py::test_the_problem_itself_must_be_well_formed",
    "test_family.py::test_arithmetic_of_functions_is_counted",
    "test_family.py::test_claims_out_of_range_are_refused",
    "test_family.py::test_an_outside_cell_must_be_outside",
    "test_family.py::test_a_point_where_a_constraint_is_tight_is_not_outside",
)
_CASES_SECONDS, _TESTS_SECONDS = 1.5, 30  # of what a mutant has to withstand, by a sound checker
_PATIENCE = 10  # times that
_MEMORY = 4 * 2**30
_WORDS = {"Rejected": 0, "Malformed": 0, "refusal": 0, "need": 3}  # from this argument on
_AS_IT_IS = "(as it is)"
_PLACE = re.compile(r"""f"|step$|at$|["'](problem|evidence|claim|document|version|digest)\b""")
_VARIABLES = {"step", "at", "what", "why", "near", "shown"}


@dataclass(frozen=True)
class Mutant:
    """A changed statement or function, and its changed lines before and after."""

    function: str
    old: str
    new: str
    code: str
    words: bool  # nothing changes but the words or the place of a refusal

    @property
    def key(self) -> tuple[str, str, str]:
        return self.function, self.old, self.new

    @property
    def changed(self) -> bool:
        return self.old != self.new


def changes(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield what may stand in the place of a node."""
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            yield from operator(node)
    if isinstance(node, cst.Raise) or (
        isinstance(node, cst.Expr) and isinstance(node.value, cst.Call)
    ):
        yield cst.Pass()


def words(call: cst.Call) -> Sequence[cst.Arg]:
    """Return the arguments that are words, or the place, of a refusal."""
    start = _WORDS.get(call.func.value, 99) if isinstance(call.func, cst.Name) else 99
    text = cst.Module([]).code_for_node
    return [x for i, x in enumerate(call.args) if i >= start or _PLACE.match(text(x.value))]


class Changes(cst.CSTVisitor):
    """Collect what may change below a node: the old node, the new one, and if it is but words."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[cst.CSTNode, cst.CSTNode, bool]] = []
        self.words: set[cst.CSTNode] = set()  # the outermost nodes of nothing but words
        self.depth = 0  # of these around a node

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Annotation | cst.Decorator | cst.Parameters):
            return False
        if isinstance(node, cst.Call):
            self.words.update(words(node))
        if isinstance(node, cst.Assign) and isinstance(node.targets[0].target, cst.Name):
            self.words.update([node] if node.targets[0].target.value in _VARIABLES else [])
        self.depth += node in self.words
        for new in changes(node):
            within = self.depth > 0
            if isinstance(new, cst.Call) and len(new.args) == len(getattr(node, "args", ())):
                replaced = set(node.args) - set(new.args)
                within |= bool(replaced) and replaced <= self.words
            self.found.append((node, new, within))
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        self.depth -= original_node in self.words


def mutants() -> Iterator[Mutant]:
    """Yield all mutants of the checker, and each function and constant as it is."""
    source = Path(checker.__file__).read_text()
    wrapper = cst.MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
    spans = wrapper.resolve(cst.metadata.PositionProvider)
    module, lines = wrapper.module, [0, 0]
    for line in source.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))

    def span(node: cst.CSTNode) -> tuple[int, int]:
        start, end = spans[node].start, spans[node].end
        return lines[start.line] + start.column, lines[end.line] + end.column

    def found(node: cst.CSTNode, function: str, head: str = "") -> Iterator[Mutant]:
        visitor = Changes()
        node.visit(visitor)
        first, last = span(node)
        first = source.rindex("\n", 0, first) + 1
        head = f"from __future__ import annotations\n{head}"
        yield Mutant(function, _AS_IT_IS, _AS_IT_IS, f"{head}{source[first:last]}\n", False)
        for old, new, within in visitor.found:
            if getattr(old, "lpar", ()) and new.lpar is old.lpar:  # they are outside of the span
                new = new.with_changes(lpar=(), rpar=())
            start, end = span(old)
            text = module.code_for_node(new)  # which has the spaces beside an operator
            text = text if source[start].isspace() else text.strip()
            code = source[first:start] + text + source[end:last]
            before, after = (
                [line.strip() for line in text.splitlines()] for text in (source[first:last], code)
            )
            while before and after and before[0] == after[0]:
                del before[0], after[0]
            while before and after and before[-1] == after[-1]:
                del before[-1], after[-1]
            yield Mutant(function, " ".join(before), " ".join(after), f"{head}{code}\n", within)

    for statement in module.body:
        if isinstance(statement, cst.ClassDef):
            name = statement.name.value
            for part in statement.body.body:
                if isinstance(part, cst.FunctionDef):
                    yield from found(part, f"{name}.{part.name.value}", f"class {name}:\n")
        elif isinstance(statement, cst.FunctionDef):
            yield from found(statement, statement.name.value)
        elif isinstance(statement, cst.SimpleStatementLine) and isinstance(
            statement.body[0], cst.Assign | cst.AnnAssign
        ):
            yield from found(statement, "constants")


def install(mutant: Mutant) -> None:
    """Change the checker of this process."""
    code = compile(mutant.code, checker.__file__, "exec")
    checker.exp_bound.cache_clear()
    checker.log_bound.cache_clear()
    if mutant.function == "constants":
        exec(code, vars(checker))
        return
    owner: Any = checker
    *path, name = mutant.function.split(".")
    for part in [*path, name]:
        code = next(x for x in code.co_consts if isinstance(x, CodeType) and x.co_name == part)
    for part in path:
        owner = getattr(owner, part)
    found = vars(owner)[name]
    for inner in ("__func__", "__wrapped__", "fget", "func"):
        found = getattr(found, inner, found)
    if len(code.co_freevars) == len(found.__code__.co_freevars):
        found.__code__ = code
    else:  # super() was left out
        setattr(owner, name, FunctionType(code, vars(checker), name, found.__defaults__))


def silence() -> None:
    """Print nothing from here on."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)


def trials(
    queue: list[Mutant], trial: Callable[[Mutant], bool], processes: int, seconds: float
) -> Iterator[tuple[Mutant, bool]]:
    """Yield each mutant and if it survived its trial, in a process of its own."""
    gc.freeze()
    queue, running = queue[::-1], dict[int, Mutant]()
    while queue or running:
        while queue and len(running) < processes:
            mutant = queue.pop()
            pid = os.fork()
            if not pid:
                survived = False
                with suppress(BaseException):
                    os.setpgid(0, 0)
                    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # some library catches it
                    signal.setitimer(signal.ITIMER_REAL, seconds)  # then it ends the process
                    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
                    silence()
                    install(mutant)
                    survived = trial(mutant)
                os._exit(0 if survived else 1)
            running[pid] = mutant
        pid, status = os.wait()
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # what it has left behind
        yield running.pop(pid), status == 0


def called(action: Callable[[], object]) -> tuple[set[str], float]:
    """Return which functions of the checker an action calls, and how long it takes untraced."""
    found = set[str]()

    def watch(frame: FrameType, *_: object) -> None:
        if frame.f_code.co_filename == checker.__file__:
            found.add(frame.f_code.co_qualname)

    for trace in (watch, None):
        checker.exp_bound.cache_clear()
        checker.log_bound.cache_clear()
        start = time.process_time()
        sys.settrace(trace)
        try:
            action()
        finally:
            sys.settrace(None)
    return found, time.process_time() - start


def outcome(document: Any) -> list[str] | None:
    """Return the step and the rule of a refusal; None if the claim is repeated as it is."""
    try:
        result = checker.check(document)
    except checker.Rejected as refusal:
        return [refusal.step, refusal.rule]
    told = document["claim"] | {"digest": document["digest"]}
    found = {key: str(getattr(result, key)) for key in told if hasattr(result, key)}
    return None if all(told[key] == x for key, x in found.items()) else []


def cases() -> dict[str, list[dict[str, Any]]]:
    """Return the cases for each function: different refusals, different sorts, the fastest."""
    groups: dict[tuple[str, object], list[tuple[float, int]]] = defaultdict(list)
    pool = json.loads(gzip.decompress((_TESTS / "conformance.json.gz").read_bytes()))
    for i, case in enumerate(pool):
        refused, ends = case["refused"], list[object]()
        found, seconds = called(lambda case=case, ends=ends: ends.append(outcome(case["document"])))
        if ends != [refused, refused]:
            sys.exit(f"the checker itself fails case {i} of the conformance suite")
        group = (re.sub(r"\d+", "", refused[0]), refused[1]) if refused else case["sort"]
        for function in found | {"constants"}:
            groups[function, group].append((seconds, i))
    ranked: dict[str, list[tuple[int, float, int]]] = defaultdict(list)
    for (function, _), members in groups.items():
        ranked[function] += [(rank, *x) for rank, x in enumerate(sorted(members))]
    chosen: dict[str, list[dict[str, Any]]] = {}
    for function, entries in ranked.items():
        chosen[function], spent = [], 0.0
        for _, seconds, i in sorted(entries):
            spent += seconds
            if spent < _CASES_SECONDS:
                chosen[function].append(pool[i])
    return chosen


class Suites:
    """A plugin of pytest: run the tests not once, but for each mutant those that call it."""

    def __init__(self, queue: list[Mutant], processes: int) -> None:
        self.queue, self.processes, self.survivors = queue, processes, list[Mutant]()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        session.config.pluginmanager.unregister(name="terminalreporter")
        plan: dict[str, list[tuple[float, int]]] = defaultdict(list)
        receiver, sender = os.pipe()
        if not os.fork():  # so that nothing which the tests remember stays
            silence()
            with os.fdopen(sender, "w") as pipe:
                for i, item in enumerate(session.items):
                    found, seconds = called(lambda item=item: self.run(session, [item]))
                    json.dump([i, seconds, [*found, "constants"]], pipe)
                    pipe.write("\n")
            os._exit(0)
        os.close(sender)
        with os.fdopen(receiver) as pipe:
            for i, seconds, found in map(json.loads, pipe):
                for function in found:
                    plan[function].append((seconds, i))
        os.wait()

        def trial(mutant: Mutant) -> bool:
            spent, items = 0.0, []
            for seconds, i in sorted(plan[mutant.function]):
                spent += seconds
                items += [session.items[i]] if spent < _TESTS_SECONDS else []
            return self.run(session, items)

        found = trials(self.queue, trial, self.processes, _TESTS_SECONDS * _PATIENCE)
        for mutant, survived in found:
            if survived == mutant.changed:  # or a test fails without any change
                self.survivors.append(mutant)
                print(f"{mutant.function}\n  - {mutant.old}\n  + {mutant.new}", flush=True)
        return True

    def run(self, session: pytest.Session, items: list[pytest.Item]) -> bool:
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                return False
        return True


def listed() -> dict[tuple[str, str, str], str]:
    """Return the survivors that are explained, each with the name of its reason."""
    found = {}
    for name, group in tomllib.loads(_LIST.read_text()).items():
        for function, entries in group["mutants"].items():
            found.update({(function, old, new): name for old, new in entries})
    return found


def main() -> int:
    """Print the counts, and the survivors that are not explained."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    wanted = set(options.names)
    known = listed()
    pool = [x for x in mutants() if not wanted or {x.function, x.function.split(".")[0]} & wanted]
    print(f"{sum(x.changed for x in pool)} mutants")
    pool = [x for x in pool if not x.words]
    tried = sum(x.changed for x in pool)
    print(f"{tried} that change more than the words or the place of a refusal", flush=True)
    chosen = cases()

    def trial(mutant: Mutant) -> bool:
        due = chosen.get(mutant.function, ())
        return all(outcome(case["document"]) == case["refused"] for case in due)

    found = list(trials(pool, trial, options.processes, _CASES_SECONDS * _PATIENCE))
    if killed := [x.function for x, survived in found if not (x.changed or survived)]:
        sys.exit(f"killed as they are: {', '.join(killed)}")
    survivors = [x for x, survived in found if survived and x.changed]
    unlisted = [x for x in survivors if x.key not in known]
    due = {x.function for x in unlisted}
    as_it_is = [x for x, _ in found if x.function in due - {"constants"} and not x.changed]
    suites = Suites(as_it_is + unlisted, options.processes)
    explained = Counter(known[x.key] for x in survivors if x.key in known)
    print(f"{len(survivors)} survive the conformance suite, {explained.total()} of them listed:")
    for name, count in explained.items():
        print(f"{count}: {name}")
    print(f"{len(unlisted)} are tried on the tests", flush=True)
    paths = [str(_TESTS / name) for name in _SUITES]
    pytest.main(["-q", "-s", "-p", "no:cacheprovider", *paths], plugins=[suites])
    print(f"{len(suites.survivors)} survive them too")
    return 1 if suites.survivors else 0


if __name__ == "__main__":
    sys.exit(main())
