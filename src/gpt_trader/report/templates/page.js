"use strict";
(() => {
  const root = document.documentElement;
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const dated = [];
  let moving = false;

  const colour = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();
  const soft = (hex, share) => {
    const parts = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    return `rgba(${parts.join(",")},${share})`;
  };
  // "$up" is a colour of the page, "$up-soft" the same, nearly transparent
  const painted = (value) => {
    if (typeof value === "string" && value[0] === "$") {
      const [name, pale] = value.slice(1).split("-");
      return pale ? soft(colour(name), 0.13) : colour(name);
    }
    if (Array.isArray(value)) return value.length && typeof value[0] !== "object" ? value : value.map(painted);
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, painted(item)]));
    return value;
  };
  const axis = { gridcolor: "$line", linecolor: "$line", zerolinecolor: "$muted", zerolinewidth: 1, automargin: true };
  const laidOut = (chart, narrow) => {
    const own = chart.layout;
    return painted({
      ...own,
      height: narrow ? Math.round(chart.height * 0.85) : chart.height,
      margin: { l: narrow ? 44 : 64, r: narrow ? 8 : 16, t: 8, b: 32 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size: narrow ? 11 : 12, color: "$soft" },
      hovermode: chart.alone ? "closest" : "x",
      hoverlabel: { bgcolor: "$card", bordercolor: "$line", font: { color: "$ink", size: 12 }, align: "left" },
      legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", font: { size: narrow ? 11 : 12 } },
      showlegend: chart.data.length > 1,
      dragmode: narrow ? false : "zoom",
      xaxis: { ...axis, hoverformat: "%Y-%m-%d %H:%M:%S", ...own.xaxis },
      yaxis: { ...axis, ...own.yaxis, title: narrow ? "" : own.yaxis.title },
    });
  };
  const draw = () => {
    const narrow = window.innerWidth < 800;
    for (const chart of charts) {
      const place = document.getElementById("chart-" + chart.id);
      const range = place.layout && !chart.alone && place.layout.xaxis.autorange === false ? place.layout.xaxis.range : null;
      const layout = laidOut(chart, narrow);
      if (range) layout.xaxis.range = [...range];
      const shown = (place.data || []).map((trace) => trace.visible);
      const data = painted(chart.data).map((trace, at) => (shown[at] === undefined ? trace : { ...trace, visible: shown[at] }));
      Plotly.react(place, data, layout, { responsive: true, displaylogo: false, displayModeBar: false, doubleClick: "reset" });
      if (!place.dataset.linked) {
        place.dataset.linked = "yes";
        if (!chart.alone) { dated.push(place); place.on("plotly_relayout", (change) => together(place, change)); }
      }
    }
  };
  // the charts of one run show the same stretch of time
  const together = (from, change) => {
    if (moving) return;
    let update = null;
    if (change["xaxis.autorange"]) update = { "xaxis.autorange": true, "yaxis.autorange": true };
    else if (change["xaxis.range"]) update = { "xaxis.range": change["xaxis.range"], "yaxis.autorange": true };
    else if ("xaxis.range[0]" in change) update = { "xaxis.range": [change["xaxis.range[0]"], change["xaxis.range[1]"]] };
    if (!update) return;
    moving = true;
    Promise.all(dated.filter((place) => place !== from).map((place) => Plotly.relayout(place, update)))
      .finally(() => { moving = false; });
  };
  const sorted = (heading) => {
    const table = heading.closest("table"), body = table.tBodies[0];
    const at = [...heading.parentNode.children].indexOf(heading);
    const down = heading.dataset.down !== "yes";
    heading.dataset.down = down ? "yes" : "";
    const key = (row) => row.cells[at].dataset.value ?? row.cells[at].textContent;
    const number = heading.dataset.sort === "number";
    const rows = [...body.rows].sort((a, b) => (number ? key(a) - key(b) : String(key(a)).localeCompare(key(b))));
    body.append(...(down ? rows.reverse() : rows));
  };

  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const toggle = document.getElementById("theme");
  const wear = (isDark) => {
    root.classList.toggle("dark", isDark);
    toggle.textContent = isDark ? "Light" : "Dark";
    draw();
  };
  toggle.addEventListener("click", () => wear(!root.classList.contains("dark")));
  dark.addEventListener("change", (event) => wear(event.matches));
  for (const heading of document.querySelectorAll("th[data-sort]")) heading.addEventListener("click", () => sorted(heading));
  let narrow = window.innerWidth < 800;
  window.addEventListener("resize", () => {
    const now = window.innerWidth < 800;
    if (now !== narrow) { narrow = now; draw(); }
  });
  wear(dark.matches);
})();
