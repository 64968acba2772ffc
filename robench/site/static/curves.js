"use strict";
// Curves of the models that are chosen by click; the choice is in the address.
(() => {
  const { el, load, state, setState, drawing } = robench;
  const chooser = document.getElementById("chooser").elements, picker = document.getElementById("models");
  const MOST = 8;
  let board = null, curves = null;

  /** The chosen models in the order in which they were chosen: the address', else the twin of most and its smallest. */
  function chosen() {
    const named = state().getAll("model").filter((id) => board.models.some((model) => model.id === id));
    if (state().has("model")) return named;
    const followers = (twin) => board.models.filter((model) => model.twin === twin.id);
    const most = [...board.models].sort((one, other) => followers(other).length - followers(one).length)[0];
    const low = followers(most).sort((one, other) => one.bytes - other.bytes).slice(0, 4);
    return [most, ...low].map((model) => model.id);
  }

  function choose(ids) {
    const now = state();
    now.delete("model");
    for (const id of ids.length ? ids : [""]) now.append("model", id);
    history.replaceState(null, "", `#${now}`);
    draw();
  }

  function option(model, ids) {
    const place = ids.indexOf(model.id), box = el("input", { type: "checkbox", checked: place >= 0, value: model.id });
    box.disabled = place < 0 && ids.length >= MOST;
    box.addEventListener("change", () => {
      const others = chosen().filter((id) => id !== model.id);
      choose(box.checked ? [...others, model.id] : others);
      const again = [...picker.querySelectorAll("input")].find((one) => one.value === model.id);
      if (again) again.focus();
    });
    return el("label", {}, box, place >= 0 ? drawing.key(place) : null, model.name);
  }

  function draw() {
    const ids = chosen();
    const named = ids.map((id) => board.models.find((model) => model.id === id));
    const others = board.models.filter((model) => !ids.includes(model.id));
    picker.replaceChildren(el("legend", {}, `Models (${ids.length} of at most ${MOST} drawn)`), ...[...named, ...others].map((model) => option(model, ids)));
    find();
    drawing.panels(document.getElementById("panels"), curves, named);
    document.body.dataset.ready = location.hash;
  }

  function find() {
    const wanted = chooser.q.value.toLowerCase();
    for (const label of picker.querySelectorAll("label")) label.hidden = !label.textContent.toLowerCase().includes(wanted) && !label.querySelector("input").checked;
  }

  async function show() {
    const wanted = robench.board();
    [board, curves] = await Promise.all([load(wanted.id), load(`${wanted.id}.curves`)]);
    robench.fillBoards(chooser.board);
    draw();
  }

  chooser.board.addEventListener("change", () => { history.replaceState(null, "", "#"); setState({ board: chooser.board.value }); show(); });
  chooser.q.addEventListener("input", find);
  document.getElementById("chooser").addEventListener("submit", (event) => event.preventDefault());
  robench.shareBy(document.getElementById("share"));
  robench.start(show);
})();
