"use strict";
(() => {
  const common = JSON.parse(document.getElementById("common").textContent);
  const status = document.querySelector(".status");
  const chooser = document.getElementById("setting");
  const charts = {}; // specifications by the id of their figure
  const views = new Map(); // figure element -> Vega view
  const shown = new Map(); // setting element -> names of the series that are shown
  const filled = new Set(); // settings whose charts and tables are unpacked
  let current; // the setting that is shown
  let library; // a promise, from the first chart on
  let work = Promise.resolve(); // charts are drawn one after another

  const options = () => ({
    ast: true, renderer: "svg", actions: false, mode: "vega-lite", defaultStyle: false, config: common.config,
    tooltip: { disableDefaultStyle: true },
  });

  async function unpacked(id) {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  }

  function ready() {
    library ??= unpacked("library").then((text) => {
      const script = document.createElement("script");
      script.textContent = text; // allowed by its hash
      document.head.append(script);
    });
    return library;
  }

  function afterwards(task) {
    const done = work.then(task);
    work = done.catch(() => {});
    return done;
  }

  // The data sets of a specification are columns (see packing.py); Vega-Lite takes rows.
  function withRows(spec) {
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
    const spec = charts[figure.id][chosen];
    views.get(figure)?.finalize();
    const result = await vegaEmbed(figure.querySelector(".canvas"), withRows(spec), options());
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
    for (const other of select.dataset.choice === common.axis ? others : [select]) {
      const index = [...other.options].findIndex((option) => option.textContent === label);
      if (index >= 0) other.selectedIndex = index;
      afterwards(() => draw(other.closest("figure")));
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
    for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    status.textContent = `${table.caption.textContent}: sorted by ${button.textContent}, ${down ? "descending" : "ascending"}`;
  }

  // Show one setting; its charts and tables are unpacked and drawn when it is first shown.
  function show(section) {
    current = section;
    delete document.documentElement.dataset.drawn;
    for (const other of document.querySelectorAll(".setting")) other.hidden = other !== section;
    if (chooser) chooser.value = section.id;
    return afterwards(() => fill(section));
  }

  async function fill(section) {
    if (current !== section) return;
    if (!filled.has(section)) {
      const rest = JSON.parse(await unpacked(`${section.id}-rest`));
      filled.add(section);
      Object.assign(charts, rest.figures);
      section.querySelector(".rest").innerHTML = rest.markup;
    }
    dispatchEvent(new Event("resize")); // charts drawn earlier take the width of now
    await ready();
    for (const figure of section.querySelectorAll("figure.chart:not([data-drawn])")) {
      if (current !== section) return;
      await draw(figure);
      await new Promise((resolve) => setTimeout(resolve)); // let the reader scroll between two charts
    }
    document.documentElement.dataset.drawn = "all";
  }

  // The setting that the address names, as #setting-3.
  function addressed() {
    const section = document.getElementById(location.hash.slice(1));
    return section?.classList.contains("setting") ? section : null;
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.closest("thead")) sort(button);
    else if (button?.closest(".legend")) toggle(button);
  });
  document.addEventListener("change", (event) => {
    if (event.target === chooser) {
      history.replaceState(null, "", `#${chooser.value}`);
      show(document.getElementById(chooser.value));
      status.textContent = `Shown: ${chooser.selectedOptions[0].textContent}`;
    } else if (event.target.matches("figure select")) choose(event.target);
  });
  addEventListener("hashchange", () => {
    const section = addressed();
    if (!section) return;
    show(section);
    section.scrollIntoView();
    section.focus({ preventScroll: true });
  });

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("section:not([hidden]) details:not([open])")];
    opened.forEach((details) => { details.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((details) => { details.open = false; }));

  // Charts push down what is below them: go again to what the address names, unless the reader has moved meanwhile.
  let moved = false;
  for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) {
    addEventListener(kind, () => { moved = true; }, { once: true, passive: true });
  }
  function settle() {
    if (!moved) document.getElementById(location.hash.slice(1))?.scrollIntoView({ behavior: "instant" });
  }

  const first = addressed() ?? document.querySelector(".setting");
  if (first) show(first).then(settle);
  else document.documentElement.dataset.drawn = "all";
})();
