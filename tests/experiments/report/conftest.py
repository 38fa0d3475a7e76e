"""An experiment with names that would like to be markup, its report, and a browser to look at it."""

import os
import shutil
from functools import partial
from pathlib import Path

import pytest

from experiments.findings import open_results, run
from experiments.report.building import contents_of
from experiments.report.page import page
from experiments.spec import ExperimentSpec

HOSTILE = "</script><img src=x onerror=alert(1)>"
WORKLOAD = "mix \"'><script>alert(2)</script>\u2028&amp;"
ROOT = Path(__file__).parents[3]


def specification(**changes):
    """Three policies, one of which never runs at the higher load, on a workload with a hostile label."""
    return ExperimentSpec(
        **{
            "description": "</title><b>Experiment</b> & more",
            "workloads": [{"name": "p512d20-p512d50", "label": WORKLOAD}],
            "fleets": ["llama2-7b/a100-80g"],
            "policies": ["vllm-v1", {"name": "sarathi", "label": HOSTILE}, "wait"],
            "loads": [0.5, 1.1],
            "requests": 150,
            "replications": 3,
            **changes,
        }
    )


@pytest.fixture(scope="session")
def report_names():
    """The hostile labels: of a policy, and of the workload."""
    return HOSTILE, WORKLOAD


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """The folder of the finished experiment."""
    folder = tmp_path_factory.mktemp("results") / "done"
    run(specification(), folder, workers=1)
    return folder


@pytest.fixture(scope="session")
def findings(results):
    """What it found."""
    return open_results(results)


@pytest.fixture(scope="session")
def contents(findings):
    """What its report shows."""
    return contents_of(findings)


@pytest.fixture(scope="session")
def report(contents, tmp_path_factory):
    """Its report."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page(contents), encoding="utf-8", newline="")
    return path


def chromium():
    """Where Chromium is; without one the test is skipped, or fails where one must be there."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        needed = os.environ.get("CI") == "true" and os.environ.get("ORSCHED_NO_BROWSER") != "1"
        (pytest.fail if needed else pytest.skip)(f"no Chromium: none of {', '.join(names)} is installed")
    return found


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium that phones nobody."""
    from playwright.sync_api import sync_playwright

    path = chromium()
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        instance = playwright.chromium.launch(executable_path=path, headless=True, args=arguments)
        yield instance
        instance.close()


@pytest.fixture
def visit(browser):
    """Open a report: ``visit(path, width=..., dark=..., before=SCRIPT)``; what the page says or asks for fails it."""
    contexts, said = [], []

    def open_page(path, width=1280, height=900, dark=False, anchor="", before="", **options):
        scheme = "dark" if dark else "light"
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: said.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (said.append(f"dialog: {dialog.message}"), dialog.dismiss()))

        def only_the_file(route):
            if route.request.url == path.as_uri():
                route.continue_()
            else:
                said.append(f"request: {route.request.url}")
                route.abort()

        context.route("**/*", only_the_file)
        if before:
            page.add_init_script(f"addEventListener('DOMContentLoaded', () => {{ {before} }})")
        page.goto(path.as_uri() + anchor)
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-drawn=all]", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []


@pytest.fixture
def look(visit, report):
    """Open the report of the experiment, as `visit` does."""
    return partial(visit, report)


@pytest.fixture(scope="session")
def kept():
    """Where pictures of the page are kept, for people."""
    folder = ROOT / "build" / "report"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
