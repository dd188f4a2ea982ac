"use strict";

(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const darkScheme = window.matchMedia("(prefers-color-scheme: dark)");
  const NARROW = 420; // pixels of a picture
  const KEY = "polyrank-report-theme";

  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : darkScheme.matches);

  function label() {
    button.textContent = isDark() ? "Light theme" : "Dark theme";
  }

  // A page of a file may have no storage; the choice then lasts as long as the page.
  function stored(theme) {
    try {
      if (theme) {
        localStorage.setItem(KEY, theme);
      }
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  }

  const before = stored();
  if (before === "dark" || before === "light") {
    root.dataset.theme = before;
  }
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    stored(root.dataset.theme);
    label();
  });
  darkScheme.addEventListener("change", label);
  button.hidden = false;
  label();

  const font = getComputedStyle(root).getPropertyValue("--text");
  const config = {
    background: "transparent",
    font,
    mark: { color: "var(--accent)" },
    view: { stroke: "transparent" },
    axis: {
      labelColor: "var(--soft)",
      titleColor: "var(--soft)",
      domainColor: "var(--line)",
      tickColor: "var(--line)",
      gridColor: "var(--grid)",
      labelFontSize: 11,
      titleFontSize: 11,
      titleFontWeight: "normal",
      titlePadding: 8,
      labelPadding: 5,
      labelLimit: 110,
      tickSize: 4,
    },
    axisX: { tickCount: 5, labelOverlap: true },
    axisY: { tickCount: 5 },
    legend: {
      orient: "top",
      labelColor: "var(--ink)",
      titleColor: "var(--soft)",
      labelFontSize: 11,
      titleFontSize: 11,
      titleFontWeight: "normal",
    },
    line: { strokeWidth: 2 },
    scale: { bandPaddingInner: 0.3 },
  };
  const options = {
    mode: "vega-lite",
    renderer: "svg",
    actions: false,
    ast: true, // expressions are walked, not made into code, which the page's policy forbids
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true, theme: "page" },
  };

  async function draw(place) {
    const spec = JSON.parse(place.parentElement.querySelector("script").textContent);
    const columns = place.clientWidth < NARROW ? 3 : 8;
    try {
      await vegaEmbed(place, spec, { ...options, config: { ...config, legend: { ...config.legend, columns } } });
      // The element around a picture says in words what it shows.
      place.querySelector("svg").setAttribute("aria-hidden", "true");
    } catch (error) {
      place.classList.add("broken");
      place.textContent = `This picture cannot be drawn here: ${error.message}. Its numbers are below.`;
    }
  }

  async function drawAll() {
    for (const place of document.querySelectorAll(".picture")) {
      await draw(place);
    }
    root.dataset.pictures = "drawn";
  }

  // A table that scrolls is reached by keyboard; of others the way through the page is shorter without.
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight) {
        target.tabIndex = 0;
      } else {
        target.removeAttribute("tabindex");
      }
    }
  });
  for (const table of document.querySelectorAll(".table")) {
    sizes.observe(table);
  }

  drawAll();
})();
