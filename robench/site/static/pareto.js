"use strict";
// Size against a score: a point a model, a line along those that no smaller one beats.
(() => {
  const { el, load, state, setState, fill, cells, drawing } = robench;
  const chooser = document.getElementById("chooser").elements;
  const KINDS = [[1, "1 bit"], [2, "2 bits"], [4, "3 or 4 bits"], [8, "5 to 8 bits"], [32, "more, or full precision"]];
  let table = null;

  const kind = (bits) => KINDS.findIndex(([most]) => bits <= most);

  /** Scores of a board: its parts', and the clean accuracy. */
  function scores(board) {
    return [...board.parts.filter((part) => part.scored).map((part) => [part.key, `${part.key} score`]), ["clean", "clean"]];
  }

  function points(board, key) {
    const own = (model) => (key === "clean" ? model.clean : model.scores[key]);
    const wanted = state().get("architecture");
    const found = board.models.filter((model) => (!wanted || model.architecture === wanted) && cells.isNumber(own(model)))
      .map((model) => ({ ...model, cell: own(model), kb: model.bytes / 1000, value: own(model)[0][0], low: own(model)[0][1], high: own(model)[0][2] }));
    found.sort((one, other) => one.kb - other.kb || other.value - one.value);
    let best = -1;
    for (const point of found) { point.front = point.value > best; best = Math.max(best, point.value); }
    return found;
  }

  function draw(found, label) {
    const place = document.getElementById("plot"), width = Math.max(320, place.clientWidth - 30), narrow = width < 600;
    const front = found.filter((point) => point.front);
    const dots = KINDS.map(([, text], index) => [text, found.filter((point) => kind(point.bits) === index), drawing.style(index + 1), index + 1]).filter(([, some]) => some.length);
    const plot = Plot.plot({
      width, height: narrow ? 360 : 460, marginLeft: 44, marginRight: narrow ? 20 : 110, marginBottom: 44, style: { fontSize: "12px", background: "transparent" },
      ariaLabel: `Size of the file in kB against ${label}`, x: { type: "log", label: "size of the file, kB", tickFormat: (x) => (/^[125]/.test(String(x)) ? String(x) : "") },
      y: { label: `${label}, %`, grid: true, nice: true },
      marks: [
        Plot.line(front, { x: "kb", y: "value", curve: "step-after", stroke: "var(--muted)", strokeDasharray: "4 3" }),
        Plot.ruleX(found, { x: "kb", y1: "low", y2: "high", stroke: "var(--muted)", strokeOpacity: 0.5 }),
        ...dots.map(([, some, { stroke, symbol }]) => Plot.dot(some, { x: "kb", y: "value", r: 5, symbol, fill: stroke, stroke: "var(--paper)" })),
        ...(narrow ? [] : [Plot.text(front, { x: "kb", y: "high", text: "name", dx: 6, dy: -6, textAnchor: "start", fill: "var(--ink)", stroke: "var(--paper)", strokeWidth: 3 })]),
        Plot.tip(found, Plot.pointer({ x: "kb", y: "value", title: (point) => `${point.name}\n${drawing.numbers(point.cell[0])} %\n${point.kb.toFixed(0)} kB`, fill: "var(--paper)", stroke: "var(--line)" })),
      ],
    });
    drawing.asImage(plot);
    plot.addEventListener("click", () => { if (plot.value) location.href = robench.modelPage(plot.value.id); });
    const legend = el("p", { className: "chips muted" }, ...dots.map(([text, , , index]) => el("span", {}, drawing.symbolKey(index), ` ${text}`)));
    place.replaceChildren(el("figcaption", {}, label), legend, plot);
  }

  async function list(found, board, label) {
    if (table) table.destroy();
    const number = (field, text, width, format) => ({ field, title: "", titleFormatter: cells.title(text), sorter: "number", width, formatter: (cell) => el("span", {}, format(cell.getValue())) });
    const name = { field: "name", title: "", titleFormatter: cells.title("model"), minWidth: 130, formatter: (cell) => el("a", { href: robench.modelPage(cell.getData().id) }, cell.getValue()) };
    const size = [number("kb", "kB", 90, (kb) => kb.toFixed(0)), number("bits", "bits", 80, String)];
    const score = { field: "value", title: "", titleFormatter: cells.title(label), sorter: "number", headerSortStartingDir: "desc", minWidth: 150, formatter: (cell) => cells.show(cell.getData().cell, board.flags, { drawn: true }) };
    const front = { field: "front", title: "", titleFormatter: cells.title("no smaller one is better"), width: 130, formatter: (cell) => el("span", {}, cell.getValue() ? "yes" : "") };
    table = await cells.table({ data: found, maxHeight: "60vh", columns: innerWidth < 700 ? [name, score, ...size, front] : [name, ...size, score, front] });
    cells.exportsBy(table, () => `${board.id}.size`, (row) => ({ model: row.name, kB: row.kb, bits: row.bits, ...cells.fields(label, row.cell), front: row.front, suite: board.suite, version: board.version, dataset: board.data.name, images: board.data.n, fingerprint: board.data.fingerprint }));
  }

  async function show() {
    const board = await load(robench.board().id);
    robench.fillBoards(chooser.board);
    const options = scores(board), key = options.some(([value]) => value === state().get("score")) ? state().get("score") : options[0][0];
    fill(chooser.score, options, key);
    const known = [...new Set(board.models.map((model) => model.architecture))].filter(Boolean).sort();
    fill(chooser.architecture, [["", "any"], ...known.map((one) => [one, one])], state().get("architecture") || "");
    const label = options.find(([value]) => value === key)[1], found = points(board, key);
    draw(found, label);
    await list(found, board, label);
    document.body.dataset.ready = location.hash;
  }

  for (const field of ["board", "score", "architecture"]) {
    chooser[field].addEventListener("change", () => { setState({ ...(field === "board" ? { score: "", architecture: "" } : {}), [field]: chooser[field].value }); show(); });
  }
  document.getElementById("chooser").addEventListener("submit", (event) => event.preventDefault());
  robench.shareBy(document.getElementById("share"));
  robench.start(show);
})();
