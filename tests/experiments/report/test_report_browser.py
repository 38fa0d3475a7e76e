"""The report in a real browser: charts, sorting, themes, phone, paper, and names that would like to be markup."""

import re
from itertools import pairwise

import pytest

from tests.support.colour_vision import contrast

CONTRAST = """() => {
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return parse(getComputedStyle(document.documentElement).colorScheme.includes("dark") ? "0 0 0" : "255 255 255");
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.getClientRects().length || node.closest("script, .skip, .status")) continue;
    const style = getComputedStyle(node);
    const ink = parse(node instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(ink), light(behind(node))];
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), node.textContent.slice(0, 40)]);
  }
  return found.sort((x, y) => x[0] - y[0]);
}"""


def figure(page, name):
    return page.locator(f"#setting-1-{name}")


def hexadecimal(colour):
    """``#RRGGBB`` of ``rgb(r, g, b)``."""
    return "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", colour)[:3])


def channels(page, selector, name):
    """A colour of the first element that is found."""
    return hexadecimal(page.locator(selector).first.evaluate(f"one => getComputedStyle(one).{name}"))


def marks(page, name, kind):
    """Marks of a kind that are drawn in a chart."""
    return figure(page, name).locator(f".canvas svg .role-mark.mark-{kind} :is(path, line)")


def column(page, table, index):
    """Texts and keys of a table's column, as shown."""
    cells = page.locator(f"table:has(#{table}) tbody tr > :nth-child({index + 1})")
    return cells.evaluate_all("cells => cells.map((cell) => [cell.textContent, cell.dataset.key ?? null])")


def test_every_chart_is_drawn_with_a_mark_for_every_row(look, findings):
    """Claim: all seven charts are there, in a size one can see, and show as many marks as there are data."""
    page = look()
    charts = page.locator("figure.chart .canvas svg")
    assert charts.count() == page.locator("figure.chart").count() == 7
    for box in (charts.nth(i).bounding_box() for i in range(7)):
        assert box["width"] > 200
        assert box["height"] > 200
    (table,) = findings.gap_tables().values()
    gaps = [row for row in table.rows if "latency_mean_s" in row.gaps]
    assert marks(page, "gap", "symbol").count() == len(gaps) == 5
    assert marks(page, "gap", "rule").count() == 5
    assert marks(page, "gap", "line").count() == 3
    assert marks(page, "pareto", "symbol").count() == 5
    for name in ("cdf-latency", "cdf-ttft", "cdf-tpot", "over-time"):
        assert marks(page, name, "line").count() == 3, name
    requests = figure(page, "time-line").locator("select option").count()
    assert requests == 3
    assert marks(page, "time-line", "rule").count() >= 80  # 40 requests: prefill and decode, and most of them wait


def test_choices_and_the_legend_change_the_charts(look):
    """Claim: a list draws another variant, those of one load together; a policy that is switched off fades."""
    page = look()
    select = figure(page, "cdf-latency").locator("select")
    assert select.locator("option").all_text_contents() == ["load 0.5", "load 1.1"]
    before = figure(page, "cdf-tpot").locator(".words p").text_content()
    select.select_option("1")
    page.wait_for_selector("#setting-1-cdf-latency[data-drawn='1']", state="attached")
    page.wait_for_selector("#setting-1-cdf-tpot[data-drawn='1']", state="attached")
    after = figure(page, "cdf-tpot").locator(".words p").text_content()
    assert before.startswith("At load 0.5")
    assert after.startswith("At load 1.1")
    button = page.locator(".legend button").first
    button.press("Space")
    assert button.get_attribute("aria-pressed") == "false"
    page.wait_for_function(
        "document.querySelector('#setting-1-gap .mark-line path').getAttribute('opacity') === '0.06'"
    )
    assert marks(page, "gap", "line").nth(1).get_attribute("opacity") != "0.06"


def test_tables_sort_by_mouse_and_by_key(look):
    """Claim: a header sorts by number, then the other way round; rows are announced; the keyboard does as the mouse."""
    page = look()
    header = page.locator("table:has(#setting-1-gap-1) thead th").nth(2)
    button = header.locator("button")
    numbers = sorted(float(key) for _, key in column(page, "setting-1-gap-1", 2))
    for press in (button.click, lambda: button.press("Enter"), lambda: button.press("Space")):
        for _ in range(2):
            press()
            order = header.get_attribute("aria-sort")
            shown = [float(key) for _, key in column(page, "setting-1-gap-1", 2)]
            assert shown == (numbers if order == "ascending" else numbers[::-1])
            assert order in page.locator(".status").text_content()
        assert order == "descending"
    page.locator("table:has(#setting-1-gap-1) thead th").nth(0).locator("button").click()
    names = [key for _, key in column(page, "setting-1-gap-1", 0)]
    assert names[1:] == ["vllm-v1", "wait"]
    assert header.get_attribute("aria-sort") == "none"
    page.locator("details:has(#setting-1-table-1) > summary").press("Enter")
    header = page.locator("table:has(#setting-1-table-1) thead th").nth(3)
    for order in ("ascending", "descending"):
        header.locator("button").press("Enter")
        assert header.get_attribute("aria-sort") == order
        assert column(page, "setting-1-table-1", 3)[-1] == ["", None]  # what has no number is last in both directions


def test_a_phone_scrolls_down_only(look, kept):
    """Claim: however wide the screen, the page is no wider, charts fit, and tables scroll inside their frame."""
    page = look(width=390, height=844)
    page.screenshot(path=kept / "phone.png", full_page=True)
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    widest = "Math.max(...[...document.querySelectorAll('.canvas svg')].map((chart) => chart.clientWidth))"
    for width in (320, 390, 768):
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_function(f"{widest} <= {width}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        frame = page.locator(".scroll:has(#setting-1-table-1)")
        assert frame.evaluate("box => box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX") == "auto"


@pytest.mark.parametrize("dark", [False, True])
def test_all_text_can_be_read_in_both_themes(look, kept, dark):
    """Claim: every text, in charts too, has a contrast of 4.5 to 1 at least; the theme follows the reader's."""
    page = look(dark=dark)
    page.screenshot(path=kept / f"{'dark' if dark else 'light'}.png", full_page=True)
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    contrasts = page.evaluate(CONTRAST)
    assert len(contrasts) > 300
    assert contrasts[0][0] >= 4.5, contrasts[:5]
    ink = page.locator("#setting-1-gap .canvas svg text").first.evaluate("text => getComputedStyle(text).fill")
    shade = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ink, shade) == (
        ("rgb(232, 235, 239)", "rgb(15, 18, 22)") if dark else ("rgb(27, 31, 36)", "rgb(246, 247, 249)")
    )


@pytest.mark.parametrize("dark", [False, True])
def test_controls_and_lines_can_be_seen_in_both_themes(look, dark):
    """Claim: frames of controls and the lines of charts have a contrast of 3 to 1 with what is behind them; nothing
    moves for who wants no motion; a focused control is marked."""
    page = look(dark=dark, reduced_motion="reduce")
    card = channels(page, "section", "backgroundColor")
    frames = [channels(page, control, "borderTopColor") for control in (".legend button", "figure select")]
    strokes = page.locator("#setting-1-gap .mark-line path").evaluate_all(
        "found => found.map((one) => getComputedStyle(one).stroke)"
    )
    lines = [hexadecimal(stroke) for stroke in strokes]
    assert len(set(lines)) == len(lines) == 3
    for colour in (*frames, *lines):
        assert contrast(colour, card) >= 3, colour
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    moving = "found => found.filter((one) => parseFloat(getComputedStyle(one).transitionDuration) > 0).length"
    assert page.locator("body *").evaluate_all(moving) == 0
    page.locator(".legend button").first.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2


def test_it_prints(look, kept):
    """Claim: on paper everything is open, black on white even for a reader with a dark theme, and tables fit."""
    page = look(dark=True)
    closed = page.locator("details:not([open])").count()
    assert closed > 10
    data = page.pdf(path=kept / "report.pdf", format="A4")
    assert data.startswith(b"%PDF")
    assert data.count(b"/Type /Page") >= 4
    assert page.locator("details:not([open])").count() == closed  # closed again
    page.set_viewport_size({"width": 720, "height": 1000})
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(CONTRAST)[0][0] >= 4.5
    assert page.evaluate("Math.max(...[...document.querySelectorAll('table')].map((t) => t.scrollWidth))") <= 720


def test_names_stay_text(look, report_names):
    """Claim: labels that are markup are shown as they are: no element, no script, no request comes of them."""
    hostile, workload = report_names
    page = look()
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 5  # two packs, common data, the page's own, the unpacked library
    assert hostile in page.locator(".legend").text_content()
    assert workload in page.locator("h2").all_text_contents()[1]
    assert page.title().startswith("</title><b>Experiment</b> & more")
    figure(page, "gap").locator(".mark-symbol path").nth(1).hover(force=True)
    page.wait_for_selector("#vg-tooltip-element.visible")
    assert hostile in page.locator("#vg-tooltip-element").text_content()


def test_the_page_may_run_nothing_else(browser, report):
    """Claim: the policy refuses scripts that are not the page's own, evaluated text and any load."""
    page = browser.new_page()
    reached = []
    page.on("requestfinished", lambda request: reached.append(request.url))
    page.goto(report.as_uri())
    policy = page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    refused = page.evaluate(
        """async () => {
          const refused = [];
          document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
          const script = document.createElement("script");
          script.textContent = "window.taken = true";
          const image = document.createElement("img");
          image.src = "https://example.invalid/x.png";
          document.body.append(script, image);
          await fetch("https://example.invalid/").catch(() => {});
          await new Promise((resolve) => setTimeout(resolve, 200));
          return [...refused.sort(), String(window.taken)];
        }"""
    )
    assert refused == ["connect-src", "img-src", "script-src-elem", "undefined"]
    assert reached == [report.as_uri()]
    page.close()


def test_charts_have_words_and_controls_have_names(look):
    """Claim: who does not see the charts reads what they show; every control can be reached and says what it does."""
    page = look()
    charts = page.locator("figure.chart [role=img]:has(.canvas)").all()
    assert len(charts) == 7
    for chart in charts:
        for link in ("aria-labelledby", "aria-describedby"):
            described = page.locator(f"#{chart.get_attribute(link)}")
            assert len(described.text_content().strip()) > 5
    for select in page.locator("figure select").all():
        assert ": " in select.get_attribute("aria-label")
    assert page.locator("th:not(:has(button))[scope=col]").count() == 0
    assert page.locator("th:not([scope=col], [scope=row])").count() == 0
    assert page.locator("thead th:not([aria-sort=none])").count() == 0
    assert page.locator("tbody tr > :first-child:not(th)").count() == 0
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, select, summary, a[href]')]"
        ".filter((one) => !(one.getAttribute('aria-label') ?? one.labels?.[0]?.textContent ?? one.textContent).trim())"
        ".length"
    )
    assert nameless == 0
    repeated = page.evaluate(
        "(ids => ids.length - new Set(ids).size)([...document.querySelectorAll('[id]')].map((one) => one.id))"
    )
    assert repeated == 0
    levels = page.locator("h1, h2, h3, h4").evaluate_all("found => found.map((one) => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.locator("table:not(:has(caption))").count() == 0
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the summary"
