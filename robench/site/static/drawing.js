"use strict";
// Plots by Observable Plot: curves with bands, and the numbers of each as a table for whoever does not see them.
robench.drawing = (() => {
  const { el } = robench;
  // Okabe and Ito's; symbols and dashes differ as well.
  const COLOURS = ["var(--ink)", "#e69f00", "#56b4e9", "#009e73", "#d55e00", "#0072b2", "#cc79a7", "#b8a800"];
  const DASHES = ["", "6 3", "2 3", "8 3 2 3"];
  const SYMBOLS = ["circle", "square", "triangle", "diamond", "star", "cross", "wye", "asterisk"];

  const style = (index) => ({ stroke: COLOURS[index % 8], dash: DASHES[index % 4], symbol: SYMBOLS[index % 8] });
  const numbers = ([middle, low, high]) => `${middle.toFixed(1)} [${low.toFixed(1)}, ${high.toFixed(1)}]`;

  /** The x scale of a panel: by factors, with 0 for the clean accuracy at the left where the axis begins there. */
  function xScale(panel) {
    const ticks = panel.clean ? [[0, "0"], ...panel.ticks] : panel.ticks;
    const names = new Map(ticks);
    const type = !panel.log ? "linear" : panel.clean ? "symlog" : "log";
    return { type, ...(type === "symlog" ? { constant: Math.min(...panel.ticks.map(([x]) => x)) / 2 } : {}), label: panel.axis,
      ...(ticks.length > 2 ? { ticks: ticks.map(([x]) => x), tickFormat: (x) => names.get(x) ?? String(x) } : {}) };
  }

  function marks(line, index) {
    const { stroke, dash, symbol } = style(index);
    const points = line.points.map(([x, middle, low, high]) => ({ x, middle, low, high, name: line.name }));
    return [
      Plot.areaY(points, { x: "x", y1: "low", y2: "high", fill: stroke, fillOpacity: 0.15 }),
      Plot.lineY(points, { x: "x", y: "middle", stroke, strokeDasharray: dash, strokeWidth: 1.8 }),
      Plot.dot(points, { x: "x", y: "middle", stroke, fill: stroke, symbol, r: 3 }),
    ];
  }

  /** A figure of lines [{name, points: [[x, value, low, high]]}] over the levels of a panel. */
  function panelFigure(panel, lines, width) {
    const all = lines.flatMap((line) => line.points.map(([x, middle, low, high]) => ({ x, middle, text: `${line.name}\n${numbers([middle, low, high])} %` })));
    const turned = panel.ticks.length > 5;
    const plot = Plot.plot({
      width, height: turned ? 274 : 250, marginLeft: 40, marginBottom: turned ? 62 : 38, ariaLabel: `${panel.title}: accuracy in percent against ${panel.axis}`,
      style: { fontSize: "11px", background: "transparent" }, x: { ...xScale(panel), tickRotate: turned ? -40 : 0, labelOffset: turned ? 58 : 34 },
      y: { domain: [0, 100], label: "accuracy, %", grid: true },
      marks: [Plot.ruleY([0]), ...lines.flatMap((line, index) => marks(line, line.index ?? index)),
        Plot.tip(all, Plot.pointer({ x: "x", y: "middle", title: "text", fill: "var(--paper)", stroke: "var(--line)" }))],
    });
    asImage(plot);
    return el("figure", {}, el("figcaption", {}, panel.title, " ", el("small", {}, panel.section)), plot, asTable(panel, lines));
  }

  /** A plot is one image with one name; its numbers are in a table beside it. */
  function asImage(plot) {
    plot.setAttribute("role", "img");
    for (const part of plot.querySelectorAll("[aria-label]")) part.removeAttribute("aria-label");
  }

  function asTable(panel, lines) {
    const places = [...new Set(lines.flatMap((line) => line.points.map(([x]) => x)))].sort((one, other) => one - other);
    const names = new Map([[0, "0"], ...panel.ticks]);
    const cell = (line, x) => { const found = line.points.find(([place]) => place === x); return found ? numbers(found.slice(1)) : "\u2014"; };
    const head = el("tr", {}, el("th", { scope: "col" }, panel.axis), ...lines.map((line) => el("th", { scope: "col" }, line.name)));
    const body = places.map((x) => el("tr", {}, el("th", { scope: "row" }, names.get(x) ?? String(x)), ...lines.map((line) => el("td", {}, cell(line, x)))));
    const scroll = el("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": `${panel.title}, numbers` }, el("table", {}, el("thead", {}, head), el("tbody", {}, ...body)));
    return el("details", {}, el("summary", {}, "Numbers"), scroll);
  }

  /** A sample of a line's colour and dashes. */
  function key(index) {
    const { stroke, dash } = style(index);
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "key");
    svg.setAttribute("aria-hidden", "true");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    for (const [name, value] of Object.entries({ x1: 0, y1: 6, x2: 22, y2: 6, "stroke-width": 3, "stroke-dasharray": dash })) line.setAttribute(name, value);
    line.style.stroke = stroke;
    svg.append(line);
    return svg;
  }

  /** The symbol of a kind of points, as in the plot. */
  function symbolKey(index) {
    const { stroke, symbol } = style(index);
    const svg = d3.create("svg").attr("class", "symbol").attr("aria-hidden", "true").attr("viewBox", "-8 -8 16 16");
    svg.append("path").attr("d", d3.symbol(d3[`symbol${symbol[0].toUpperCase()}${symbol.slice(1)}`], 64)()).style("fill", stroke);
    return svg.node();
  }

  /** Fill `place` with the panels of some models; `lines` are [{id, name}]. */
  function panels(place, data, lines) {
    const width = Math.max(280, Math.min(420, place.clientWidth - 30));
    const figures = data.panels.map((panel, number) => {
      const drawn = lines.map((line, index) => ({ name: line.name, index, points: (data.curves[line.id] || [])[number] || [] })).filter((line) => line.points.length);
      return drawn.length ? panelFigure(panel, drawn, width) : null;
    });
    place.replaceChildren(...figures.filter(Boolean));
  }

  return { panels, asImage, key, symbolKey, style, numbers };
})();
