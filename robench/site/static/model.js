"use strict";
// The curves of one model and its twin.
(() => {
  async function show() {
    for (const place of document.querySelectorAll("[data-curves]")) {
      const [board, curves] = await Promise.all([robench.load(place.dataset.curves), robench.load(`${place.dataset.curves}.curves`)]);
      const ids = [place.dataset.twin, place.dataset.model].filter(Boolean); // the twin is the first line on every page
      const lines = ids.map((id) => board.models.find((model) => model.id === id));
      place.before(robench.el("p", { className: "chips" }, ...lines.map((line, index) => robench.el("span", {}, robench.drawing.key(index), ` ${line.name}`))));
      robench.drawing.panels(place, curves, lines);
    }
    document.body.dataset.ready = "1";
  }
  show().catch((error) => { document.getElementById("main").prepend(robench.el("p", { className: "problem", role: "alert" }, error.message)); throw error; });
})();
