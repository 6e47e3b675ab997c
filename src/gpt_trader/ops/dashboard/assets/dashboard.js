"use strict";
// Paints charts in the colours of the page, keeps the theme, and answers keys. No state of a bot is kept here.
(() => {
  const root = document.documentElement;
  const THEME = "gpt-trader-theme";

  // --- colours ------------------------------------------------------------------------------------------------------
  const colour = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();
  const soft = (hex, share) => `rgba(${[1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).join(",")},${share})`;
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
  const axis = { gridcolor: "$line", linecolor: "$line", zerolinecolor: "$muted", zerolinewidth: 1, automargin: true, fixedrange: false };
  const figure = (raw) => {
    const narrow = window.innerWidth < 640, own = raw.layout || {};
    return {
      data: painted(raw.data),
      layout: painted({
        showlegend: true,
        ...own,
        uirevision: "kept",
        autosize: true,
        margin: { l: narrow ? 46 : 60, r: narrow ? 6 : 12, t: 6, b: 28 },
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        font: { family: "system-ui, sans-serif", size: narrow ? 11 : 12, color: "$soft" },
        hovermode: "closest",
        hoverlabel: { bgcolor: "$card", bordercolor: "$line", font: { color: "$ink", size: 12 }, align: "left" },
        legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", font: { size: 11 } },
        dragmode: narrow ? false : "zoom",
        xaxis: { ...axis, type: "date", hoverformat: "%Y-%m-%d %H:%M:%S", ...own.xaxis },
        yaxis: { ...axis, tickformat: ",", nticks: narrow ? 5 : 7, ...own.yaxis },
      }),
    };
  };
  const shown = new Map();
  const paint = (raws, theme) => {
    const places = dash_clientside.callback_context.outputs_list;
    return raws.map((raw, at) => {
      const name = places[at].id.name, before = shown.get(name), place = document.querySelector(".js-plotly-plot");
      if (!raw) return dash_clientside.no_update;
      if (before && before.raw === raw && before.theme === theme && place) return dash_clientside.no_update;
      shown.set(name, { raw, theme });
      return figure(raw);
    });
  };
  window.dash_clientside = Object.assign({}, window.dash_clientside, { dashboard: { paint } });

  // --- theme --------------------------------------------------------------------------------------------------------
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const kept = () => { try { return localStorage.getItem(THEME); } catch { return null; } };
  const wear = (theme) => {
    root.classList.toggle("dark", theme === "dark");
    const told = () => (window.dash_clientside.set_props ? window.dash_clientside.set_props("theme", { data: theme }) : setTimeout(told, 50));
    if (document.getElementById("page")) told();
    else setTimeout(() => wear(wanted()), 50);
  };
  const wanted = () => kept() || (system.matches ? "dark" : "light");
  root.classList.toggle("dark", wanted() === "dark");
  wear(wanted());
  system.addEventListener("change", () => wear(wanted()));
  const toggle = () => {
    const theme = root.classList.contains("dark") ? "light" : "dark";
    try { localStorage.setItem(THEME, theme); } catch { /* private windows keep nothing */ }
    wear(theme);
  };

  // --- keys and dialogs ---------------------------------------------------------------------------------------------
  const by = (id) => document.getElementById(id);
  const close = () => { for (const id of ["dialog", "help"]) { const place = by(id); if (place) place.hidden = true; } };
  const help = () => { const place = by("help"); if (place) place.hidden = !place.hidden; };
  document.addEventListener("click", (event) => {
    const id = event.target.id;
    if (id === "theme-toggle") toggle();
    else if (id === "dialog-close" || id === "help-close" || event.target.classList.contains("dialog")) close();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return close();
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    if (/^[0-9]$/.test(event.key)) by("nav-" + event.key)?.click();
    else if (event.key === "r") by("nav-0")?.click();
    else if (event.key === "t") toggle();
    else if (event.key === "?") help();
    else if (event.key === "/") {
      event.preventDefault();
      by("nav-7")?.click();
      setTimeout(() => by("words")?.focus(), 400);
    }
  });
})();
