"use strict";
// Two models, row by row, paired by image from the outcomes in their cards.
(() => {
  const { el, load, state, setState, fill, cells, pairing } = robench;
  const chooser = document.getElementById("chooser").elements;
  let table = null;

  /** The rows that both were measured under. */
  function rows(board, models, outcomes) {
    const clean = { label: "clean", conditions: [board.clean], cellOf: (model) => model.clean, part: { title: "Clean", outcome: "top1" } };
    const listed = [...(board.clean === null ? [] : [clean]), ...board.parts.flatMap((part) => part.columns.map((column, place) => ({ ...column, part, cellOf: (model) => model.cells[part.key][place] })))];
    const found = listed.map((row) => ({ section: row.part.title, condition: row.label, first: row.cellOf(models[0]), second: row.cellOf(models[1]),
      paired: pairing.difference(...outcomes, row.conditions, row.part.outcome) })).filter((row) => row.paired);
    const adjusted = pairing.holm(found.map((row) => row.paired.p));
    return found.map((row, place) => ({ ...row, gap: row.paired.estimate, difference: row.paired.estimate[0], p: row.paired.p, holm: adjusted[place] }));
  }

  const p = (value) => (value < 0.001 ? "< 0.001" : value.toPrecision(2));

  async function list(found, board, models) {
    if (table) table.destroy();
    const accuracy = (field, name) => ({ field, title: "", titleFormatter: cells.title(name), minWidth: 140, sorter: (one, other) => cells.value(one) - cells.value(other), headerSortStartingDir: "desc", formatter: (cell) => cells.show(cell.getValue(), board.flags, {}) });
    const chance = (field, name) => ({ field, title: "", titleFormatter: cells.title(name), width: 95, sorter: "number", formatter: (cell) => el("span", {}, p(cell.getValue())) });
    const narrow = innerWidth < 700, both = [accuracy("first", models[0].name), accuracy("second", models[1].name)], chances = [chance("p", "p"), chance("holm", "Holm")];
    const chosenModels = models.map((model) => ["model", model.id]);
    const curves = `curves.html#${new URLSearchParams([["board", board.id], ...chosenModels])}`;
    const name = { field: "condition", title: "", titleFormatter: cells.title("condition"), minWidth: 130, frozen: !narrow, formatter: (cell) => el("a", { href: curves, title: "curves of both" }, cell.getValue()) };
    const part = { field: "section", title: "", titleFormatter: cells.title("part"), minWidth: 120, formatter: (cell) => el("span", { className: "muted" }, cell.getValue()) };
    const gap = { field: "difference", title: "", titleFormatter: cells.title("first minus second"), minWidth: 160, sorter: "number", headerSortStartingDir: "desc", formatter: (cell) => cells.gap(cell.getData().gap) };
    table = await cells.table({ data: found, maxHeight: "75vh", placeholder: "Both were measured under nothing in common.",
      columns: narrow ? [name, gap, ...both, part, ...chances] : [name, part, ...both, gap, ...chances] });
    cells.exportsBy(table, () => `${models[0].id}-${models[1].id}`, (row) => ({ first: models[0].name, second: models[1].name, section: row.section, condition: row.condition,
        "first accuracy": cells.value(row.first), "second accuracy": cells.value(row.second), difference: row.gap[0], "difference low": row.gap[1], "difference high": row.gap[2], p: row.p, Holm: row.holm,
        suite: board.suite, version: board.version, dataset: board.data.name, images: board.data.n, fingerprint: board.data.fingerprint }));
  }

  function summary(found, models) {
    const sure = found.filter((row) => row.holm < 0.05);
    const count = (better) => sure.filter((row) => (row.difference > 0) === better).length;
    const link = (model) => el("a", { href: robench.modelPage(model.id) }, model.name);
    const size = models[0].bytes / models[1].bytes;
    document.getElementById("answer").replaceChildren(
      el("p", { className: "lead" }, link(models[0]), " against ", link(models[1]), `: better in ${count(true)} of ${found.length} rows, worse in ${count(false)}; in ${found.length - sure.length} it cannot be told (Holm over all rows, 5%).`),
      el("p", { className: "muted" }, `Its file has ${(models[0].bytes / 1000).toFixed(0)} kB, ${size.toPrecision(2)} times the other's.`));
  }

  /** The models that the address names, else the first low-bit one and its twin. */
  function chosen(board) {
    const find = (name) => board.models.find((model) => model.id === state().get(name));
    const first = find("a") || board.models.find((model) => model.bits <= 2 && model.twin) || board.models[0];
    const second = find("b") || board.models.find((model) => model.id === first.twin) || board.models.find((model) => model !== first) || first;
    return [first, second];
  }

  async function show() {
    const board = await load(robench.board().id);
    robench.fillBoards(chooser.board);
    const models = chosen(board), options = board.models.map((model) => [model.id, model.name]);
    fill(chooser.a, options, models[0].id);
    fill(chooser.b, options, models[1].id);
    const outcomes = await Promise.all(models.map((model) => load(`${model.id}.${board.suite}`)));
    const found = rows(board, models, outcomes);
    summary(found, models);
    await list(found, board, models);
    document.body.dataset.ready = location.hash;
  }

  const change = () => { setState({ board: chooser.board.value, a: chooser.a.value, b: chooser.b.value }); show(); };
  chooser.board.addEventListener("change", () => { setState({ board: chooser.board.value, a: "", b: "" }); show(); });
  chooser.a.addEventListener("change", change);
  chooser.b.addEventListener("change", change);
  document.getElementById("swap").addEventListener("click", () => { setState({ board: chooser.board.value, a: chooser.b.value, b: chooser.a.value }); show(); });
  document.getElementById("chooser").addEventListener("submit", (event) => event.preventDefault());
  robench.shareBy(document.getElementById("share"));
  robench.start(show);
})();
