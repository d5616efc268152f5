"""Exports: tables of certificates and matrices, questions for other solvers, import by command."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import cvc5
import pytest
from instances import random_instance, to_problem
from oracle import safety_radius

from symsafe import (
    MDP,
    Certificate,
    DataDistribution,
    SafetyProblem,
    decide,
    load_problem,
    loads_problem,
    problems,
    radius,
)
from symsafe.display.argument import argue, facts_of
from symsafe.display.tables import (
    certificate_csv,
    certificate_latex,
    certificate_rows,
    latex_text,
    matrix_csv,
    matrix_latex,
)
from symsafe.engine.matrix import safety_matrix
from symsafe.engine.question import Question
from symsafe.engine.smt import to_smtlib

F = Fraction
MODELS = Path(__file__).parent / "models"


def certificate_of(name: str) -> Certificate:
    found = radius(loads_problem(problems.text(name))).certificate
    assert found is not None
    return found


def symsafe(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "symsafe", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def test_the_table_of_a_certificate_adds_up() -> None:
    """From its cells alone: the expected error is the radius, and probabilities sum to 1."""
    head, rows = certificate_rows(certificate_of("chatbot"))
    assert head == ("state", "action", "D", "R", "R_hat", "error", "policy")
    cost = sum(F(row[2]) * F(row[5]) for row in rows)
    true = [F(row[3]) for row in rows]
    assert cost / (max(true) - min(true)) == F(1, 240)
    for state in {row[0] for row in rows}:
        assert sum(F(row[6]) for row in rows if row[0] == state) == 1
    assert all(abs(F(row[4]) - F(row[3])) == F(row[5]) for row in rows)


def test_a_regularised_certificate_has_the_same_table() -> None:
    """Its policy comes from the occupancy measure."""
    facts = facts_of(certificate_of("chatbot-penalised"))
    assert facts.deception is not None
    assert facts.deception.expected_error == F(7, 1200)
    assert facts.deception.regret >= F(1, 2)
    assert F(5, 6) in facts.deception.policy


def test_facts_agree_with_the_claim_on_random_instances() -> None:
    """The expected error is the radius, the regret at least L; unvisited states have no policy."""
    unvisited = 0
    for seed in range(60):
        instance = random_instance(seed)
        certificate = radius(to_problem(instance)).certificate
        assert certificate is not None
        deception = facts_of(certificate).deception
        assert deception is not None
        assert deception.expected_error == safety_radius(instance)
        assert deception.regret >= instance.regret
        unvisited += None in deception.policy
        assert argue(certificate)[0].title == "Claim"
    assert unvisited > 5


def test_a_safe_certificate_has_a_table_without_a_reward_model() -> None:
    """D and R alone, and an argument about the tree."""
    verdict = decide(loads_problem(problems.text("tight-bandit-safe")))
    assert verdict.certificate is not None
    assert certificate_rows(verdict.certificate)[0] == ("state", "action", "D", "R")
    assert [step.title for step in argue(verdict.certificate)] == [
        "Claim",
        "No cheaper reward model",
    ]


HOSTILE = ["=1+1", "@x", "+x", "-x", "a,b", 'a"b', "\\input{x}", "50%$_&#{}~^", "<b>"]


def hostile_certificate() -> Certificate:
    mdp = MDP.bandit({"=cmd()": {name: i for i, name in enumerate(HOSTILE)}})
    problem = SafetyProblem(mdp, DataDistribution.uniform(mdp), "1/2")
    found = radius(problem).certificate
    assert found is not None
    return found


def test_names_are_no_formulas_in_a_spreadsheet() -> None:
    """CSV that a spreadsheet opens: names that look like formulas begin with an apostrophe."""
    rows = list(csv.reader(io.StringIO(certificate_csv(hostile_certificate()))))
    assert [row[1] for row in rows[1:5]] == ["'=1+1", "'@x", "'+x", "'-x"]
    assert {row[0] for row in rows[1:]} == {"'=cmd()"}
    assert [row[1] for row in rows[5:]] == HOSTILE[4:]
    matrix = safety_matrix(Question.of(hostile_certificate().problem()))
    for row in csv.reader(io.StringIO(matrix_csv(matrix, hostile_certificate().problem().mdp))):
        assert len(row) == len(HOSTILE)


def test_names_are_no_commands_in_latex() -> None:
    """What LaTeX would interpret is escaped."""
    assert latex_text("\\input{x}") == r"\textbackslash{}input\{x\}"
    text = certificate_latex(hostile_certificate())
    assert r"50\%\$\_\&\#\{\}\textasciitilde{}\textasciicircum{}" in text
    assert "\\input" not in text
    # Every row has as many cells as the head.
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.replace(r"\&", "").count("&") for line in lines} == {6}


def test_the_matrix_is_written_for_paper_and_spreadsheet() -> None:
    """The three rows of the tight bandit."""
    problem = loads_problem(problems.text("tight-bandit"))
    matrix = safety_matrix(Question.of(problem))
    assert matrix_csv(matrix, problem.mdp) == ("s.best,s.middle,s.worst\n0,0,1\n0,3/5,0\n3/5,0,0\n")
    assert r"$0$ & $\frac{3}{5}$ & $0$ \\" in matrix_latex(matrix, problem.mdp)


def test_another_solver_reads_the_question_and_agrees() -> None:
    """cvc5 on the exported SMT-LIB: satisfiable if and only if unsafe, at and below the radius."""
    for seed in range(12):
        instance = random_instance(seed)
        least = safety_radius(instance)
        question = Question.of(to_problem(instance))
        for epsilon, expected in ((least, "sat"), (least * F(99, 100), "unsat")):
            if epsilon == least == 0 and expected == "unsat":
                continue
            manager = cvc5.TermManager()
            solver = cvc5.Solver(manager)
            parser = cvc5.InputParser(solver)
            text = to_smtlib(question, epsilon * question.reward_range)
            parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "question")
            answers = []
            while not (command := parser.nextCommand()).isNull():
                answers.append(command.invoke(solver, parser.getSymbolManager()).strip())
            assert [a for a in answers if a] == [expected]


def test_import_writes_a_problem_that_decide_reads(tmp_path: Path) -> None:
    """From a Storm file to a problem file, with data, regret and tolerance of one's choice."""
    out = tmp_path / "robot.toml"
    options = ["--reward", "cans", "--data", "expert:1/10", "--regret", "0.25", "--epsilon", "1/9"]
    run = symsafe("import", f"drn:{MODELS / 'robot.drn'}", "-o", str(out), *options)
    assert (run.returncode, run.stdout) == (0, "")
    assert "expected rewards" in run.stderr
    problem = load_problem(out)
    assert (problem.regret, problem.epsilon) == (F(1, 4), F(1, 9))
    assert problem.mdp.discount == F(9, 10)
    as_json = tmp_path / "robot.json"
    run = symsafe("import", f"prism:{MODELS / 'robot.tra'}", "-o", str(as_json))
    assert load_problem(as_json).mdp.rewards == problem.mdp.rewards


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("import", "drn:nowhere.drn"), "nowhere.drn"),
        (("import", f"drn:{MODELS / 'thirds.drn'}"), "line 12"),
        (("import", f"drn:{MODELS / 'robot.drn'}", "--reward", "can"), "did you mean cans"),
        (("import", f"prism:{MODELS / 'robot.tra'}", "--discount", "1"), "discount"),
        (("import", f"prism:{MODELS / 'robot.tra'}", "--data", "unifrom"), "data"),
        (("import", f"prism:{MODELS / 'robot.tra'}", "--regret", "2"), "regret"),
        (("export", "nowhere.json", "--to", "csv"), "nowhere.json"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    """No traceback, nothing written."""
    run = symsafe(*arguments, folder=tmp_path)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert said in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_export_writes_tables_and_questions(tmp_path: Path) -> None:
    """The command gives what the functions return."""
    certificate = certificate_of("tight-bandit")
    path = tmp_path / "c.json"
    certificate.save(path)
    assert symsafe("export", str(path), "--to", "csv").stdout == certificate_csv(certificate)
    assert symsafe("export", str(path), "--to", "latex").stdout == certificate_latex(certificate)
    problem = tmp_path / "p.toml"
    problem.write_text(problems.text("tight-bandit"))
    out = tmp_path / "q.smt2"
    assert symsafe("export", str(problem), "--to", "smtlib", "-o", str(out)).returncode == 0
    assert out.read_text().startswith("(set-logic QF_LRA)")
    assert symsafe("matrix", str(problem), "--latex").stdout.startswith(r"\begin{tabular}{rrr}")
