"""A report of several settings: one is shown at a time, chosen from a list or by the address."""

import pytest

from experiments.findings import run
from experiments.report import write_report
from experiments.spec import ExperimentSpec


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """The report of two workloads on two fleets."""
    spec = ExperimentSpec(
        workloads=["p512d20", "azure-conv"],
        fleets=["llama2-7b/a100-80g", {"hardware": "llama2-7b/a100-80g", "kv_memory": 0.5, "label": "half the memory"}],
        policies=["vllm-v1", "sarathi"],
        loads=[0.6],
        requests=30,
        replications=2,
        bounds="fast",
    )
    folder = tmp_path_factory.mktemp("several")
    write_report(run(spec, folder / "results", workers=1), folder / "report.html")
    return folder / "report.html"


def shown(page):
    """Names of the settings that can be seen."""
    return page.locator(".setting:visible").evaluate_all("found => found.map((section) => section.id)")


def drawn(page):
    """Settings that have charts on the page."""
    charts = page.locator("figure.chart:has(.canvas svg)")
    return charts.evaluate_all("found => [...new Set(found.map((chart) => chart.closest('.setting').id))]")


def choose(page, name):
    page.select_option("#setting", name)
    page.wait_for_selector(f"#{name}:visible")
    page.wait_for_selector("html[data-drawn=all]", state="attached")


def test_one_setting_is_shown_and_drawn_at_a_time(visit, several):
    """Claim: charts of a setting are drawn when it is chosen; the choice is in the address; all are in the overview."""
    page = visit(several)
    assert page.locator("#setting option").count() == 4
    assert page.locator("table:has(#overview) tbody tr").count() == 4
    assert (shown(page), drawn(page)) == (["setting-1"], ["setting-1"])
    choose(page, "setting-3")
    assert (shown(page), drawn(page)) == (["setting-3"], ["setting-1", "setting-3"])
    assert page.url.endswith("#setting-3")
    assert page.locator(".status").text_content().startswith("Shown: azure-conv on llama2-7b/a100-80g")
    page.reload()
    page.wait_for_selector("html[data-drawn=all]", state="attached")
    assert (shown(page), drawn(page)) == (["setting-3"], ["setting-3"])


def test_a_link_of_the_overview_shows_its_setting(visit, several):
    """Claim: following a link chooses the setting and goes there, with the keyboard too."""
    page = visit(several)
    page.locator("table:has(#overview) tbody tr").nth(1).locator("a").press("Enter")
    page.wait_for_selector("#setting-2:visible")
    page.wait_for_selector("html[data-drawn=all]", state="attached")
    assert page.input_value("#setting") == "setting-2"
    assert page.evaluate("document.activeElement.id") == "setting-2"
    assert page.locator("#setting-2").bounding_box()["y"] < 100
    assert "half the memory" in page.locator("#setting-2 h2").text_content()


def test_a_setting_shown_again_has_its_size_and_its_choices(visit, several):
    """Claim: charts keep what the reader chose, and take the width of a window that changed while they were hidden."""
    page = visit(several)
    page.locator("#setting-1 .legend button").first.click()
    choose(page, "setting-2")
    page.set_viewport_size({"width": 700, "height": 900})
    choose(page, "setting-1")
    page.wait_for_function("document.querySelector('#setting-1-gap svg').clientWidth > 500")
    assert page.locator("#setting-1-gap svg").bounding_box()["width"] <= 700
    assert page.locator("#setting-1 .legend [aria-pressed=false]").count() == 1
    assert page.locator("#setting-1-gap .mark-line path").first.get_attribute("opacity") == "0.06"


def test_quick_choices_end_with_the_last(visit, several):
    """Claim: whoever chooses faster than charts are drawn sees the last choice, whole."""
    page = visit(several)
    for name in ("setting-2", "setting-3", "setting-4", "setting-3"):
        page.select_option("#setting", name)
    page.wait_for_selector("html[data-drawn=all]", state="attached")
    assert shown(page) == ["setting-3"]
    assert page.locator("#setting-3 figure.chart .canvas svg").count() == 7
    assert page.locator("#setting-3 figure.chart .canvas").count() == 7


def test_without_scripts_the_numbers_are_there(visit, several):
    """Claim: a browser that runs no script shows every setting's findings and gaps, and says what is missing."""
    page = visit(several, java_script_enabled=False)
    assert shown(page) == [f"setting-{number}" for number in range(1, 5)]
    for number in range(1, 5):
        assert "±" in page.inner_text(f"table:has(#setting-{number}-gap-1)")
        assert "may run scripts" in page.inner_text(f"#setting-{number} .rest")


def test_an_address_from_elsewhere_does_nothing(visit, several):
    """Claim: an anchor that names no setting shows the first."""
    page = visit(several, anchor="#<img src=x onerror=alert(1)>")
    for anchor in ("#%", "#hardware", "#setting-99", "#library"):
        assert shown(page) == ["setting-1"]
        page.evaluate("anchor => { location.hash = anchor; }", anchor)
    assert shown(page) == ["setting-1"]


@pytest.mark.parametrize("moved", [False, True])
def test_an_address_below_the_charts_is_gone_to_again_when_they_are_drawn(visit, several, moved):
    """Claim: a page opened at its hardware shows it at the top, though charts push it down; a reader who has moved
    meanwhile stays."""
    page = visit(several, height=500, before="dispatchEvent(new Event('wheel'))" if moved else "", anchor="#hardware")
    top = page.evaluate("new Promise(done => setTimeout(() => done(hardware.getBoundingClientRect().top), 50))")
    assert (abs(top) < 60) == (not moved)
