"use strict";
// What every page needs: data files, the state in the address, elements whose text is never markup.
const robench = (() => {
  const root = document.body.dataset.root;
  const site = JSON.parse(document.getElementById("site").textContent);
  const waiting = new Map();

  /** Called by each data file with its key. */
  function give(key, value) { waiting.get(key).resolve(value); }

  /** The contents of data/<key>.js; loaded once. */
  function load(key) {
    if (!waiting.has(key)) {
      const entry = {};
      entry.promise = new Promise((resolve, reject) => { entry.resolve = resolve; entry.reject = reject; });
      waiting.set(key, entry);
      const script = el("script", { src: `${root}data/${encodeURIComponent(key)}.js` });
      script.addEventListener("error", () => entry.reject(new Error(`the file data/${key}.js is missing`)));
      document.head.append(script);
    }
    return waiting.get(key).promise;
  }

  /** An element with properties, attributes (aria-..., role, for) and children; strings become text. */
  function el(tag, properties = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in made) made[name] = value; else made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  }

  /** The state in the address' fragment. */
  function state() { return new URLSearchParams(location.hash.slice(1)); }

  /** Change some of it; what is empty is left out. */
  function setState(changes) {
    const now = state();
    for (const [name, value] of Object.entries(changes)) {
      if (value) now.set(name, value); else now.delete(name);
    }
    history.replaceState(null, "", `#${now}`);
  }

  function fill(select, options, chosen) {
    select.replaceChildren(...options.map(([value, text]) => el("option", { value, selected: value === chosen }, text)));
  }

  function boardText(board) { return `${board.suite} on ${board.data.name}, ${board.data.n} images`; }

  /** The board that the address names, else the first. */
  function board() { return site.boards.find((one) => one.id === state().get("board")) || site.boards[0]; }

  function fillBoards(select) { fill(select, site.boards.map((one) => [one.id, boardText(one)]), board().id); }

  /** A button that copies the address of what is seen. */
  function shareBy(button) {
    button.addEventListener("click", async () => {
      const text = button.textContent;
      try { await navigator.clipboard.writeText(location.href); button.textContent = "Copied"; }
      catch { prompt("The address of this view:", location.href); }
      setTimeout(() => { button.textContent = text; }, 1500);
    });
  }

  /** Show the page for the address, now and whenever the address changes. */
  function start(show) {
    const safely = () => show().catch((error) => {
      document.getElementById("main").prepend(el("p", { className: "problem", role: "alert" }, error.message));
      throw error;
    });
    window.addEventListener("hashchange", safely);
    safely();
  }

  function modelPage(id) { return `${root}models/${encodeURIComponent(id)}.html`; }

  return { root, site, give, load, el, state, setState, fill, fillBoards, board, boardText, shareBy, start, modelPage };
})();
