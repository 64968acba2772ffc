"use strict";
// The answer above a table: which model comes first, by how much, and whether that can be told.
robench.answer = (() => {
  const { el, load, cells, pairing } = robench;

  const link = (model) => el("a", { href: robench.modelPage(model.id) }, model.name);
  const key = (board, model) => `${model.id}.${board.suite}`;

  /** First minus second over what a column shows, paired by image. */
  async function pair(board, column, first, second) {
    const found = await Promise.all([first, second].map((model) => load(key(board, model))));
    return column.score ? pairing.scoreDifference(...found, column.part.families)
      : pairing.difference(...found, column.conditions, column.outcome);
  }

  /** What a difference allows to say. */
  function sure(gap) {
    return { better: "it is the better one, at 95% confidence", alike: "the two cannot be told apart on these images",
      worse: "the other is the better one, at 95% confidence" }[cells.verdict(gap)];
  }

  function compareLink(board, first, second) {
    const words = new URLSearchParams({ board: board.id, a: first.id, b: second.id });
    return el("a", { href: `${robench.root}compare.html#${words}` }, "all rows");
  }

  async function runnerUp(board, column, first, second) {
    const found = await pair(board, column, first, second);
    if (!found) return [];
    const gap = found.estimate;
    return [el("p", {}, "How sure? The next is ", link(second), ". Image by image the difference is ", cells.gap(gap), ` points: ${sure(gap)} (`,
      compareLink(board, first, second), ").")];
  }

  function overlaps(column, best, others) {
    const count = others.filter((model) => model[column.field][0][2] >= best[column.field][0][1]).length;
    return count ? `The intervals of ${count} of the ${others.length} others overlap with its own. ` : "";
  }

  /** Fill `place` for models in the order of the table. */
  async function show(place, board, column, models) {
    const told = models.filter((model) => cells.isNumber(model[column.field]));
    if (!told.length) {
      place.replaceChildren(el("p", {}, models.length ? "None of the models shown has a number here." : "No model is like that; take a filter away."));
      return;
    }
    const [best, second] = told, [estimate, gap] = best[column.field];
    const others = told.slice(1);
    const lines = [el("p", { className: "lead" }, link(best), " is ",
      others.length ? `first of the ${told.length} shown: ` : "the only one shown: ",
      el("b", {}, `${cells.fixed(estimate[0])}%`), ` ${cells.interval(estimate)} right, ${column.words}. `,
      `It takes ${(best.bytes / 1000).toFixed(0)} kB.`)];
    const asked = `${board.id} ${column.field} ${best.id} ${second ? second.id : ""} ${told.length}`;
    place.dataset.asked = asked;
    const more = second ? await runnerUp(board, column, best, second) : [];
    if (place.dataset.asked !== asked) return;
    const rest = el("p", { className: "muted" }, overlaps(column, best, others));
    if (gap) rest.append("Against its twin: ", cells.gap(gap), " points.");
    place.replaceChildren(...lines, ...more, rest);
  }

  return { show };
})();
