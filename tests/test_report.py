"""The report: one page, nothing on it runs, everything on it can be reached by keyboard."""

from __future__ import annotations

import base64
import builtins
import json
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, Browser

from symsafe import (
    MDP,
    Certificate,
    CertificateRejected,
    DataDistribution,
    SafetyProblem,
    UnsupportedError,
    critical_epsilon,
    decide,
    decide_all,
    fewest_samples,
    loads_problem,
    problems,
    radius,
    region,
)
from symsafe.analysis.confidence import confidence_set
from symsafe.display.report import report_html

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
WORDS = ("malware", "cipher", "direct", "refuse", "fraud", "explosives", "roleplay")
EVIL = [
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "</td></table><svg onload=\"document.title='owned'\">",
    "\"><iframe src='https://example.org'></iframe>",
    "' onmouseover='document.title=1",
    "{{ 7 * 7 }}{% raw %}",
    "--><!-- <style>*{display:none}</style>",
    "javascript:document.title='owned'",
    "$\\undefined{$",
    "\u202egnp.exe",
]


def evil_problem() -> SafetyProblem:
    """Names that try to leave their place on the page, in every position a name can have."""
    mdp = MDP.from_tables(
        transitions={
            EVIL[0]: {name: {EVIL[1 + i % 2]: 1} for i, name in enumerate(EVIL)},
            EVIL[1]: {EVIL[2]: {EVIL[1]: 1}, EVIL[3]: {EVIL[0]: 1}},
            EVIL[2]: {EVIL[4]: {EVIL[2]: 1}},
        },
        reward={
            EVIL[0]: {name: i for i, name in enumerate(EVIL)},
            EVIL[1]: {EVIL[2]: 1, EVIL[3]: 0},
            EVIL[2]: {EVIL[4]: 3},
        },
        initial=EVIL[0],
        discount="1/2",
    )
    return SafetyProblem(mdp, DataDistribution.uniform(mdp), "1/2")


def hostile(name: str) -> SafetyProblem:
    """A shipped problem with hostile names."""
    text = re.sub(r"#.*$", "", (EXAMPLES / f"{name}.toml").read_text(), flags=re.MULTILINE)
    for word, evil in zip(WORDS, EVIL, strict=False):
        text = re.sub(rf'"{word}"|\b{word}\b', lambda _, evil=evil: json.dumps(evil), text)
    return loads_problem(text)


def certificate_of(problem: SafetyProblem) -> Certificate:
    found = radius(problem).certificate
    assert found is not None
    return found


@pytest.fixture(scope="module")
def evil_page() -> str:
    """A report in which every name is hostile, also that of the file."""
    return report_html(certificate_of(evil_problem()), source=f"{EVIL[0]}.json")


@pytest.fixture(scope="module")
def plain_page() -> str:
    """The report of the chatbot."""
    return report_html(certificate_of(loads_problem(problems.text("chatbot"))), "chatbot.json")


class Reader(HTMLParser):
    """Collects tags with their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read_harmless(page: str) -> Reader:
    """Read a page with no script, handler, frame, or address but of images inside and places."""
    reader = Reader(page)
    tags = {tag for tag, _ in reader.tags}
    assert not tags & {"script", "iframe", "object", "embed", "svg", "form", "base"}
    for tag, attributes in reader.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href"):
            target = attributes.get(name) or "#"
            assert target.startswith(("#", "data:image/svg+xml;base64,")), target
    return reader


def test_nothing_of_the_file_becomes_markup(evil_page: str) -> None:
    """All names are there, as text."""
    reader = read_harmless(evil_page)
    for name in EVIL:
        assert name in reader.text or name[:22] in reader.text


@pytest.mark.parametrize("name", ["chatbot-rlhf", "chatbot-penalised"])
def test_nothing_becomes_markup_in_reports_with_a_penalty(name: str) -> None:
    """Shipped problems whose states and actions have hostile names."""
    reader = read_harmless(report_html(certificate_of(hostile(name)), source="c.json"))
    assert EVIL[0] in reader.text


@pytest.mark.parametrize("kind", ["region", "sets", "samples", "critical"])
def test_other_kinds_of_certificates_have_no_report(kind: str) -> None:
    """Which is said, and nothing of the file is shown."""
    problem = hostile("families/rare-style" if kind == "region" else "annotation")
    ask: dict[str, Callable[[], Any]] = {
        "region": lambda: region(problem, cell_limit=50),
        "sets": lambda: decide_all(problem, confidence_set(problem.data, "1/2")),
        "samples": lambda: fewest_samples(problem),
        "critical": lambda: critical_epsilon(problem.mdp, problem.regret),
    }
    with pytest.raises(UnsupportedError) as caught:
        report_html(ask[kind]().certificate, source="c.json")
    assert "script" not in str(caught.value)


def test_the_page_forbids_scripts_and_network(evil_page: str) -> None:
    """The policy stands before anything that comes from the file."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert evil_page.index(policy) < evil_page.index("<title>") < 800
    assert evil_page.count("<meta http-equiv") == 1


def test_pictures_hold_no_script(evil_page: str) -> None:
    """Names are escaped inside the images as well, in which browsers run nothing anyway."""
    images = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', evil_page)
    assert len(images) == 2
    for image in images:
        text = base64.b64decode(image).decode("utf-8")
        assert "<script" not in text
        assert not re.search(r"<[^!][^>]*\son\w+=", text)
        assert "<foreignObject" not in text


def test_the_page_shows_everything(plain_page: str) -> None:
    """Verdict, argument, pictures, table, tree, the check and how to repeat it."""
    text = " ".join(Reader(plain_page).text.split())
    for part in (
        "safety radius 1/240: symsafe report",
        "The independent checker accepted this certificate",
        "malware/cipher: says 1, true is -2",
        "5/9 of what can be lost",
        "True reward (dots), reward model (crosses)",
        "All pairs",
        "The tree",
        "python -I -S checker.py chatbot.json",
    ):
        assert part in text
    rows = [a for tag, a in Reader(plain_page).tags if tag == "tr"]
    assert len(rows) == 13
    assert len([a for a in rows if a.get("class") == "wrong"]) == 2


def test_the_page_is_built_for_everybody(plain_page: str) -> None:
    """Language, headings, captions; regions that scroll take the focus; nothing takes it first."""
    reader = Reader(plain_page)
    assert ("html", {"lang": "en"}) in reader.tags
    assert "prefers-color-scheme: dark" in plain_page
    for tag, attributes in reader.tags:
        assert attributes.get("tabindex", "0") == "0"
        if tag == "img":
            assert attributes["alt"]
    ids = {attributes["id"] for _, attributes in reader.tags if "id" in attributes}
    for _, attributes in reader.tags:
        assert attributes.get("aria-labelledby", next(iter(ids))) in ids
        assert (attributes.get("href") or "#argument").removeprefix("#") in ids


def test_safe_and_regularised_certificates_have_reports() -> None:
    """Without a reward model there is no picture of it; other evidence is shown as far as known."""
    verdict = decide(loads_problem(problems.text("tight-bandit-safe")))
    assert verdict.certificate is not None
    page = report_html(verdict.certificate)
    assert '<p class="verdict safe">safe</p>' in page
    assert page.count("<figure>") == 1
    verdict = radius(loads_problem(problems.text("chatbot-penalised")), node_limit=40)
    assert verdict.certificate is not None
    assert "regularised safety radius" in report_html(verdict.certificate)


def test_a_refused_certificate_has_no_report(tmp_path: Path) -> None:
    """Neither as an object nor as a file; status 2 or 1 of the command, and nothing is written."""
    good = certificate_of(loads_problem(problems.text("tight-bandit")))
    claim = {**good.document["claim"], "lower": "1/2", "upper": "1/2"}
    forged = Certificate({**good.document, "claim": claim})
    with pytest.raises(CertificateRejected):
        report_html(forged)
    path, out = tmp_path / "forged.json", tmp_path / "out.html"
    path.write_text(forged.to_json())
    command = [sys.executable, "-m", "symsafe", "report", str(path), "-o", str(out)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode in (1, 2)
    assert run.stderr.count("\n") == 1
    assert not out.exists()


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    """The same page as the function's."""
    certificate = certificate_of(loads_problem(problems.text("tight-bandit")))
    path, out = tmp_path / "c.json", tmp_path / "c.html"
    certificate.save(path)
    command = [sys.executable, "-m", "symsafe", "report", str(path), "-o", str(out)]
    subprocess.run(command, check=True)
    shown = Reader(out.read_text(encoding="utf-8")).text
    assert shown == Reader(report_html(certificate, str(path))).text


def test_the_same_certificate_gives_the_same_page() -> None:
    """Its pictures have no date, and no names by chance."""
    certificate = certificate_of(loads_problem(problems.text("tight-bandit")))
    assert report_html(certificate) == report_html(certificate)


@pytest.mark.parametrize(("package", "extra"), [("jinja2", "report"), ("matplotlib", "")])
def test_optional_packages(package: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Jinja2 the error names the extra; without matplotlib the page has no pictures."""
    honest = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith(package):
            raise ImportError(name)
        return honest(name, *arguments, **options)

    certificate = certificate_of(loads_problem(problems.text("tight-bandit")))
    monkeypatch.setattr(builtins, "__import__", without)
    if extra:
        with pytest.raises(UnsupportedError, match=rf"symsafe\[{extra}\]"):
            report_html(certificate)
    else:
        assert "<figure>" not in report_html(certificate)


def needs_browser() -> None:
    if CHROMIUM is None:
        pytest.skip(
            "no chromium: that nothing runs, keys and colours were tested on the text of the page "
            "only (apt-get install chromium)"
        )


def test_in_a_browser_nothing_runs_and_nothing_is_fetched(evil_page: str, tmp_path: Path) -> None:
    """The hostile page keeps its title, shows its names as text, and asks for no address."""
    needs_browser()
    page = tmp_path / "evil.html"
    page.write_text(evil_page, encoding="utf-8")
    with Browser(tmp_path / "profile") as browser:
        browser.open(page)
        title = browser.evaluate("document.title")
        assert title.startswith("safety radius ")
        assert browser.evaluate("document.querySelectorAll('script,iframe,svg').length") == 0
        shown = browser.evaluate("document.body.textContent")
        assert all(name in shown for name in EVIL)
        assert browser.evaluate("[...document.images].every(i => i.naturalWidth > 100)")
        asked = [
            event["params"]["request"]["url"]
            for event in browser.events
            if event.get("method") == "Network.requestWillBeSent"
        ]
        assert {url.split(":")[0] for url in asked} <= {"file", "data"}
        said = [
            e
            for e in browser.events
            if e.get("method") in ("Log.entryAdded", "Runtime.consoleAPICalled")
        ]
        assert said == []
        # What a script would do if one had come through, the policy would stop.
        browser.evaluate(
            "document.body.insertAdjacentHTML('beforeend', "
            "`<img src=x onerror=\"document.title='owned'\">`)"
        )
        browser.evaluate("new Promise(done => setTimeout(done, 300))")
        assert browser.evaluate("document.title") == title


def test_in_a_browser_keys_and_colours_work(plain_page: str, tmp_path: Path) -> None:
    """Tab reaches the skip link, the table and the tree, Enter unfolds; dark is dark."""
    needs_browser()
    page = tmp_path / "plain.html"
    page.write_text(plain_page, encoding="utf-8")
    with Browser(tmp_path / "profile") as browser:
        browser.open(page)
        reached = []
        for _ in range(3):
            browser.press("Tab", 9)
            reached.append(browser.evaluate("document.activeElement.tagName"))
        assert reached == ["A", "DIV", "SUMMARY"]
        assert not browser.evaluate("document.querySelector('details').open")
        browser.press("Enter", 13, "\r")
        assert browser.evaluate("document.querySelector('details').open")
        colours = {}
        for scheme in ("light", "dark"):
            feature = {"name": "prefers-color-scheme", "value": scheme}
            browser.send("Emulation.setEmulatedMedia", features=[feature])
            found = browser.evaluate("getComputedStyle(document.body).backgroundColor")
            colours[scheme] = sum(int(part) for part in re.findall(r"\d+", found)[:3])
        assert colours["light"] > 700 > 100 > colours["dark"]
        browser.send(
            "Emulation.setDeviceMetricsOverride",
            width=360,
            height=700,
            deviceScaleFactor=1,
            mobile=True,
        )
        assert browser.evaluate("document.documentElement.scrollWidth") <= 360
