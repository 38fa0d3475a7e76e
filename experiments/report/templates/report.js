"use strict";
(() => {
  const data = JSON.parse(document.getElementById("charts").textContent);
  const status = document.querySelector(".status");
  const views = new Map(); // figure element -> Vega view
  const shown = new Map(); // setting element -> names of the series that are shown

  const options = () => ({
    ast: true, renderer: "svg", actions: false, mode: "vega-lite", defaultStyle: false, config: data.config,
    tooltip: { disableDefaultStyle: true },
  });

  // The data sets of a specification are columns (see page.py); Vega-Lite takes rows.
  function unpacked(spec) {
    const datasets = {};
    for (const [name, columns] of Object.entries(spec.datasets)) {
      const filled = Object.entries(columns).map(([key, column]) => [key, column.of ? column.at.map((i) => column.of[i]) : column]);
      const length = filled.length ? filled[0][1].length : 0;
      datasets[name] = Array.from({ length }, (_, i) => Object.fromEntries(filled.map(([key, values]) => [key, values[i]])));
    }
    return { ...spec, datasets };
  }

  async function draw(figure) {
    const chosen = figure.querySelector("select")?.value ?? figure.dataset.first;
    const spec = data.figures[figure.id][chosen];
    views.get(figure)?.finalize();
    const result = await vegaEmbed(figure.querySelector(".canvas"), unpacked(spec), options());
    views.set(figure, result.view);
    figure.querySelector(".words p").textContent = spec.description;
    await follow(figure);
    figure.dataset.drawn = chosen;
  }

  async function follow(figure) {
    const names = shown.get(figure.closest(".setting"));
    const view = views.get(figure);
    if (names && view && "shown" in view.getState().signals) await view.signal("shown", names).runAsync();
  }

  function choose(select) {
    const label = select.selectedOptions[0].textContent;
    const others = select.closest(".setting").querySelectorAll(`select[data-choice="${select.dataset.choice}"]`);
    for (const other of select.dataset.choice === data.axis ? others : [select]) {
      const index = [...other.options].findIndex((option) => option.textContent === label);
      if (index >= 0) other.selectedIndex = index;
      draw(other.closest("figure"));
    }
  }

  function toggle(button) {
    button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
    const setting = button.closest(".setting");
    const pressed = setting.querySelectorAll('.legend [aria-pressed="true"]');
    shown.set(setting, [...pressed].map((item) => item.dataset.series));
    setting.querySelectorAll("figure").forEach(follow);
  }

  function sort(button) {
    const header = button.closest("th");
    const table = header.closest("table");
    const column = header.cellIndex;
    const down = header.getAttribute("aria-sort") === "ascending";
    const numeric = header.classList.contains("number");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row, index) => ({ row, index, key: row.cells[column].dataset.key }));
    rows.sort((a, b) => {
      if (a.key === undefined || b.key === undefined) return (a.key === undefined) - (b.key === undefined) || a.index - b.index;
      const order = numeric ? Number(a.key) - Number(b.key) : a.key.localeCompare(b.key, undefined, { numeric: true });
      return (down ? -order : order) || a.index - b.index;
    });
    body.append(...rows.map((entry) => entry.row));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    status.textContent = `${table.caption.textContent}: sorted by ${button.textContent}, ${down ? "descending" : "ascending"}`;
  }

  document.querySelectorAll("th button").forEach((button) => button.addEventListener("click", () => sort(button)));
  document.querySelectorAll(".legend button").forEach((button) => button.addEventListener("click", () => toggle(button)));
  document.querySelectorAll("figure select").forEach((select) => select.addEventListener("change", () => choose(select)));

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((details) => { details.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((details) => { details.open = false; }));

  (async () => {
    for (const figure of document.querySelectorAll("figure.chart")) {
      await draw(figure);
      await new Promise((resolve) => setTimeout(resolve)); // let the reader scroll between two charts
    }
    document.documentElement.dataset.drawn = "all";
  })();
})();
