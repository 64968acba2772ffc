"use strict";
// Cells of tables: a number with its interval, its difference to the twin, its flags. Data are [value, gap, flags].
robench.cells = (() => {
  const { el } = robench;
  let flagCount = 0;

  const minus = (text) => text.replace("-", "\u2212");
  const rounded = (value) => Number(value.toFixed(1)) + 0; // never -0
  const fixed = (value) => minus(rounded(value).toFixed(1));
  const signed = (value) => (rounded(value) < 0 ? "" : "+") + fixed(value);
  const interval = ([, low, high], form = fixed) => `[${form(low)}, ${form(high)}]`;
  const isNumber = (cell) => Boolean(cell) && Array.isArray(cell[0]);
  const value = (cell) => (isNumber(cell) ? cell[0][0] : null);

  /** better, worse or alike: whether the interval of a difference is beyond 0. */
  function verdict([, low, high]) { return low > 0 ? "better" : high < 0 ? "worse" : "alike"; }

  function gap(found) {
    return el("span", { className: `gap ${verdict(found)}` }, `${signed(found[0])} ${interval(found, signed)}`);
  }

  /** A button that tells flags on hover, tap and Enter. */
  function flags(texts) {
    const id = `flag${flagCount++}`;
    const list = el("div", { id, className: "popover", popover: "auto" }, ...texts.map((text) => el("p", {}, text)));
    const button = el("button", { type: "button", className: "flag", "aria-label": `Flagged: ${texts.join("; ")}` }, "\u2691");
    button.setAttribute("popovertarget", id);
    const place = () => {
      const box = button.getBoundingClientRect();
      list.style.left = `${Math.max(8, Math.min(box.left, innerWidth - 330))}px`;
      list.style.top = `${box.bottom + 4}px`;
    };
    list.addEventListener("beforetoggle", place);
    const ofMouse = (act) => (event) => { if (event.pointerType === "mouse") act(); }; // a tap is a click, which toggles
    button.addEventListener("pointerenter", ofMouse(() => list.showPopover()));
    button.addEventListener("pointerleave", ofMouse(() => list.hidePopover()));
    return [button, list];
  }

  function strip([middle, low, high]) {
    const range = el("i", { className: "range" });
    const dot = el("i", { className: "dot" });
    range.style.left = `${low}%`;
    range.style.width = `${high - low}%`;
    dot.style.left = `${middle}%`;
    return el("span", { className: "strip", "aria-hidden": "true" }, range, dot);
  }

  /** The element of a cell. */
  function show(cell, texts, { gaps = false, drawn = false } = {}) {
    if (!cell) return el("span", { className: "sign" }, "\u2014");
    const marked = cell[2] && cell[2].length ? flags(cell[2].map((index) => texts[index])) : [];
    if (!isNumber(cell)) return el("span", { className: "sign" }, cell[0], ...marked);
    return el("div", { className: "number" },
      el("span", { className: "first" }, el("b", {}, fixed(cell[0][0])), " ", el("small", {}, interval(cell[0])), ...marked),
      drawn ? strip(cell[0]) : null,
      gaps && cell[1] ? gap(cell[1]) : null);
  }

  /** A heading of a column as text that can be reached by keyboard: Tabulator would take it for markup. */
  function title(text, note = "", sortable = true, of = "") {
    const parts = [of ? el("span", { className: "hidden" }, `${of}: `) : null, el("span", {}, text), note ? el("small", {}, note) : null];
    return () => el(sortable ? "button" : "span", { className: "heading" }, ...parts);
  }

  /** A table of Tabulator's in #table, as a promise of when it is there. */
  function table(options) {
    const made = new Tabulator("#table", { layout: "fitColumns", nestedFieldSeparator: false, placeholder: "No model is like that; take a filter away.",
      columnHeaderSortMulti: false, headerSortElement: "<span class='arrow' aria-hidden='true'></span>", ...options });
    return new Promise((resolve) => made.on("tableBuilt", () => { mendRoles(made.element); resolve(made); }));
  }

  /** Tabulator gives groups of columns a role that ARIA does not know, and makes the scrolled area a focus stop within the grid. */
  function mendRoles(element) {
    for (const group of element.querySelectorAll(".tabulator-col-group")) {
      group.setAttribute("role", "presentation");
      for (const name of ["aria-sort", "aria-title"]) group.removeAttribute(name);
    }
    const holder = element.querySelector(".tabulator-tableholder");
    holder.setAttribute("role", "presentation");
    holder.removeAttribute("tabindex");
  }

  /** Text that no spreadsheet takes for a formula. */
  const told = (text) => (typeof text === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text);

  /** Buttons that save what the table shows; `record` gives a row as plain fields. */
  function exportsBy(table, name, record) {
    const rows = () => table.getRows("active").map((row) => record(row.getData()));
    const save = (text, ending, type) => {
      const link = el("a", { href: URL.createObjectURL(new Blob([text], { type })), download: `${name()}.${ending}` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    };
    document.getElementById("csv").onclick = () => {
      const found = rows();
      const lines = [Object.keys(found[0] || {}), ...found.map((row) => Object.values(row).map(told))];
      save(`${csvOf(lines)}\n`, "csv", "text/csv");
    };
    document.getElementById("json").onclick = () => save(JSON.stringify(rows(), null, 1), "json", "application/json");
  }

  function csvOf(lines) {
    const quoted = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    return lines.map((line) => line.map((one) => quoted(String(one ?? ""))).join(",")).join("\n");
  }

  /** The plain fields of a cell. */
  function fields(name, cell) {
    const [middle, low, high] = isNumber(cell) ? cell[0] : [cell ? cell[0] : null, null, null];
    const [gapMiddle, gapLow, gapHigh] = cell && cell[1] ? cell[1] : [null, null, null];
    return { [name]: middle, [`${name} low`]: low, [`${name} high`]: high,
      [`${name} difference`]: gapMiddle, [`${name} difference low`]: gapLow, [`${name} difference high`]: gapHigh };
  }

  return { show, gap, title, table, value, fixed, signed, interval, isNumber, verdict, flags, exportsBy, fields };
})();
