"use strict";
// The table of models: what the address says is shown, and what is done is in the address.
(() => {
  const { el, load, state, setState, fill, cells } = robench;
  const finder = document.getElementById("finder").elements, filters = document.getElementById("filters").elements;
  const FILTERS = ["bits", "q", "quantizer", "architecture", "state", "checked", "size"];
  const narrow = () => innerWidth < 700;
  const dataId = (board) => `${board.data.name} ${board.data.fingerprint}`;
  const bitsText = (bits) => (bits > 16 ? "full precision" : bits === 1 ? "1 bit" : `${bits} bits`);
  let table = null, board = null, columns = [], built = "", quiet = false;

  /** Every column that can be sorted by, with what it is in words. */
  function columnsOf(found) {
    const listed = [{ field: "clean", title: "clean", words: "on images and weights as they are", conditions: [found.clean], outcome: "top1", drawn: true }];
    for (const part of found.parts) {
      if (part.scored) {
        listed.push({ field: `score:${part.key}`, title: "score", part, score: true, drawn: true,
          words: `the ${part.key} score, over ${part.scored} conditions` });
      }
      part.columns.forEach((column, place) => listed.push({ field: `cell:${part.key}:${place}`, title: column.label, note: column.note,
        part, conditions: column.conditions, outcome: part.outcome, words: `under ${column.label}${column.note ? `, ${column.note}` : ""}` }));
    }
    return listed;
  }

  function rowOf(model) {
    const row = { ...model };
    for (const [key, cell] of Object.entries(model.scores)) row[`score:${key}`] = cell;
    for (const [key, found] of Object.entries(model.cells)) found.forEach((cell, place) => { row[`cell:${key}:${place}`] = cell; });
    return row;
  }

  /** Numbers in order, whatever has none at the end. */
  function byValue(one, other, oneRow, otherRow, column, direction) {
    const values = [cells.value(one), cells.value(other)];
    if (values.includes(null)) return (values[0] === values[1] ? 0 : values[0] === null ? 1 : -1) * (direction === "asc" ? 1 : -1);
    return values[0] - values[1];
  }

  const isShown = (column) => isOpen(column.part) || column.score || column.field === sortNow();
  const isOpen = (part) => (state().get("open") || "").split(",").includes(part.key);
  const sortNow = () => state().get("sort") || (board.purposes[0] || ["clean"])[0];
  const directionNow = () => state().get("dir") || "desc";

  function definitions() {
    const gaps = state().has("gaps");
    const number = (column) => ({ field: column.field, title: "", titleFormatter: cells.title(column.title, column.note, true, column.part ? column.part.title : ""), sorter: byValue,
      headerSortStartingDir: "desc", minWidth: gaps ? 162 : 142, formatter: (cell) => cells.show(cell.getValue(), board.flags, { gaps, drawn: column.drawn }) });
    const fact = (field, title, width, format = (value) => String(value), more = {}) => ({ field, title: "", titleFormatter: cells.title(title), width,
      formatter: (cell) => el("span", { title: field === "quantizer" ? cell.getData().variant : "" }, format(cell.getValue())), ...more });
    const own = columns.filter((column) => !column.part).map(number);
    const size = [fact("bits", "bits", 62, String, { sorter: "number" }), fact("bytes", "size", 92, (bytes) => `${(bytes / 1000).toFixed(0)} kB`, { sorter: "number" })];
    const parts = board.parts.map((part) => ({ title: "", titleFormatter: cells.title(part.title, "", false),
      columns: columns.filter((column) => column.part === part && isShown(column)).map(number) })).filter((group) => group.columns.length);
    const sorted = parts.filter((group) => group.columns.some((column) => column.field === sortNow()));
    return [
      { field: "name", title: "", titleFormatter: cells.title("model"), frozen: true, width: narrow() ? 140 : 215,
        formatter: (cell) => el("a", { href: robench.modelPage(cell.getData().id) }, cell.getValue()) },
      ...(narrow() ? [...sorted, ...own, ...parts.filter((group) => !sorted.includes(group)), ...size] : [...size, ...own, ...parts]),
      fact("quantizer", "quantizer", 130), fact("architecture", "architecture", 130), fact("state", "state", 100), fact("checked", "checked", 130), fact("date", "measured", 110),
    ];
  }

  const hasColumn = (field) => table !== null && table.getColumns().some((column) => column.getField() === field);

  async function build() {
    const sorted = columns.find((column) => column.field === sortNow());
    const folded = sorted && sorted.part && !sorted.score && !isOpen(sorted.part) && !hasColumn(sorted.field);
    const key = JSON.stringify([board.id, state().get("open"), state().has("gaps"), narrow() && sortNow()]);
    if (key === built && !folded) return;
    built = key;
    if (table) table.destroy();
    table = await cells.table({ data: board.rows, index: "id", columns: definitions(), maxHeight: "78vh" });
    table.on("dataSorted", (sorters) => {
      if (quiet || !sorters.length || (sorters[0].field === sortNow() && sorters[0].dir === directionNow())) return;
      setState({ sort: sorters[0].field, dir: sorters[0].dir === "desc" ? "" : sorters[0].dir });
      showPurpose();
      showAnswer();
    });
    cells.exportsBy(table, () => board.id, record);
  }

  function record(row) {
    const facts = { model: row.name, bits: row.bits, bytes: row.bytes, quantizer: row.quantizer, architecture: row.architecture, state: row.state, checked: row.checked,
      measured: row.date, suite: board.suite, version: board.version, dataset: board.data.name, images: board.data.n, fingerprint: board.data.fingerprint };
    return columns.reduce((all, column) => ({ ...all, ...cells.fields([column.part ? column.part.title : "", column.title].filter(Boolean).join(": "), row[column.field]) }), facts);
  }

  function matches(row) {
    const wanted = state();
    return (!wanted.get("bits") || String(row.bits) === wanted.get("bits"))
      && (!wanted.get("q") || row.name.toLowerCase().includes(wanted.get("q").toLowerCase()))
      && ["quantizer", "architecture", "state", "checked"].every((field) => !wanted.get(field) || row[field] === wanted.get(field))
      && (!wanted.get("size") || row.bytes <= 1000 * Number(wanted.get("size")));
  }

  function showAnswer() {
    const column = columns.find((one) => one.field === sortNow());
    const shown = table.getRows("active").map((row) => row.getData());
    document.getElementById("count").textContent = `${shown.length} of ${board.rows.length} models`;
    const place = document.getElementById("answer");
    if (!column || directionNow() !== "desc") { place.replaceChildren(el("p", { className: "muted" }, "Sort by a number, the highest first, to see which model comes first, and how sure that is.")); return; }
    return robench.answer.show(place, board, column, shown);
  }

  /** Filter and sort as the address says. */
  function apply() {
    quiet = true;
    table.setFilter(matches);
    if (hasColumn(sortNow())) table.setSort(sortNow(), directionNow());
    quiet = false;
    return showAnswer();
  }

  function showPurpose() {
    const here = robench.site.boards.filter((one) => dataId(one) === dataId(board));
    const options = here.flatMap((one) => one.purposes.map(([field, words]) => [`${one.id}|${field}`, words]));
    const now = `${board.id}|${sortNow()}`;
    if (!options.some(([value]) => value === now)) {
      const column = columns.find((one) => one.field === sortNow());
      options.unshift([now, column ? column.words : `any purpose, sorted by ${sortNow()}`]);
    }
    fill(finder.purpose, options, now);
  }

  function showControls() {
    const wanted = state();
    const choices = (field, any) => [["", any], ...[...new Set(board.rows.map((row) => row[field]))].filter(Boolean).sort((one, other) => (one > other ? 1 : -1)).map((one) => [String(one), String(one)])];
    fill(finder.bits, choices("bits", "any").map(([value]) => [value, value ? bitsText(Number(value)) : "any precision"]), wanted.get("bits") || "");
    const sets = new Map(robench.site.boards.map((one) => [dataId(one), `${one.data.name}, ${one.data.n} images`]));
    fill(finder.data, [...sets], dataId(board));
    for (const field of ["quantizer", "architecture", "state", "checked"]) fill(filters[field], choices(field, "any"), wanted.get(field) || "");
    for (const field of ["q", "size"]) if (document.activeElement !== filters[field]) filters[field].value = wanted.get(field) || "";
    filters.gaps.checked = wanted.has("gaps");
    showPurpose();
    document.getElementById("parts").replaceChildren(...board.parts.map((part) => {
      const button = el("button", { type: "button", "aria-pressed": String(isOpen(part)) }, `${part.title} (${part.columns.length})`);
      button.addEventListener("click", () => toggle(part));
      return button;
    }));
    document.getElementById("about").textContent = `${robench.boardText(board)} (suite version ${board.version}). Newest card: ${board.newest || "without a date"}.`;
    for (const ending of ["csv", "json"]) document.getElementById(`all-${ending}`).href = `data/${encodeURIComponent(board.id)}.${ending}`;
  }

  function toggle(part) {
    const open = (state().get("open") || "").split(",").filter((key) => key && key !== part.key);
    change({ open: [...open, ...(isOpen(part) ? [] : [part.key])].join(",") });
    const place = board.parts.indexOf(part);
    document.getElementById("parts").children[place].focus();
  }

  async function show() {
    const chosen = robench.board();
    if (!board || board.id !== chosen.id) {
      board = { ...chosen, ...(await load(chosen.id)) };
      board.rows = board.models.map(rowOf);
      columns = columnsOf(board);
    }
    showControls();
    await build();
    await apply();
    document.body.dataset.ready = location.hash;
  }

  function change(changes) { setState(changes); return show(); }

  finder.bits.addEventListener("change", () => change({ bits: finder.bits.value }));
  finder.purpose.addEventListener("change", () => {
    const [id, sort] = finder.purpose.value.split("|");
    change({ board: id, sort, dir: "" });
  });
  finder.data.addEventListener("change", () => {
    const here = robench.site.boards.filter((one) => dataId(one) === finder.data.value);
    const next = here.find((one) => one.suite === board.suite) || here[0];
    change({ board: next.id, sort: next.suite === board.suite ? sortNow() : "", dir: "" });
  });
  for (const field of FILTERS.slice(1)) filters[field].addEventListener("input", () => change({ [field]: filters[field].value }));
  filters.gaps.addEventListener("change", () => change({ gaps: filters.gaps.checked ? "1" : "" }));
  document.getElementById("filters").addEventListener("reset", () => setTimeout(() => change(Object.fromEntries(FILTERS.map((field) => [field, ""])))));
  for (const form of ["finder", "filters"]) document.getElementById(form).addEventListener("submit", (event) => event.preventDefault());
  robench.shareBy(document.getElementById("share"));
  robench.start(show);
})();
