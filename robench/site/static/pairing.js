"use strict";
// Paired differences of two models from their outcomes, as robench/results/stats.py has them; jStat has the distributions.
robench.pairing = (() => {
  const Z = 1.959963984540054;

  function unpack(text, images) {
    const bytes = atob(text);
    const bits = new Uint8Array(images);
    for (let i = 0; i < images; i++) bits[i] = (bytes.charCodeAt(i >> 3) >> (7 - (i & 7))) & 1;
    return bits;
  }

  /** Outcomes [rows][images] of some conditions, or null where one was not judged. */
  function outcomes(found, conditions, outcome) {
    const rows = [];
    for (const place of conditions) {
      const draws = found[outcome][place];
      if (draws.length < found.draws[place] || draws.includes(null)) return null;
      rows.push(...draws.map((text) => unpack(text, found.images)));
    }
    return rows;
  }

  const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;
  function variance(values) {
    const middle = mean(values);
    return values.reduce((sum, one) => sum + (one - middle) ** 2, 0) / (values.length - 1);
  }
  const same = (rows) => rows.every((row) => row.every((bit, i) => bit === rows[0][i]));

  /** Exact two-sided McNemar. */
  function mcnemar(b, c) {
    if (b + c === 0) return 1;
    return Math.min(1, 2 * jStat.binomial.cdf(Math.min(b, c), b + c, 0.5));
  }

  function discordant(first, second) {
    let b = 0, c = 0;
    first.forEach((bit, i) => { if (bit && !second[i]) b++; else if (!bit && second[i]) c++; });
    return [b, c];
  }

  /** Agresti and Min's interval. */
  function agresti(b0, c0, n0) {
    const b = b0 + 0.5, c = c0 + 0.5, n = n0 + 2;
    const half = (Z * Math.sqrt(b + c - (b - c) ** 2 / n)) / n, centre = (b - c) / n;
    return [(b0 - c0) / n0, centre - half, centre + half];
  }

  /** Sum of the means of blocks [draws][images], by the analysis of variance over the draws of each and the images of all. */
  function crossedSum(blocks) {
    const images = blocks[0][0].length, means = blocks.map(perImage);
    const byImage = means[0].map((_, i) => means.reduce((sum, one) => sum + one[i], 0));
    const ofImages = variance(byImage) / images, all = mean(byImage);
    let total = ofImages;
    const parts = [[ofImages, images - 1]];
    blocks.forEach((block, place) => {
      const draws = block.length;
      if (draws < 2) return;
      const byDraw = block.map(mean), middle = mean(byDraw), freedom = (draws - 1) * (images - 1);
      const ofDraws = variance(byDraw) / draws;
      let rest = 0;
      block.forEach((row, d) => row.forEach((one, i) => { rest += (one - byDraw[d] - means[place][i] + middle) ** 2; }));
      rest /= freedom * draws * images;
      total += Math.max(ofDraws - rest, 0);
      parts.push([ofDraws, draws - 1], [rest, freedom]);
    });
    if (!total) return { estimate: [all, all, all], p: all === 0 ? 1 : 0 };
    const freedom = Math.max(total ** 2 / parts.reduce((sum, [part, degrees]) => sum + part ** 2 / degrees, 0), 1);
    const error = Math.sqrt(total), half = jStat.studentt.inv(0.975, freedom) * error;
    return { estimate: [all, all - half, all + half], p: 2 * jStat.studentt.cdf(-Math.abs(all) / error, freedom) };
  }

  function perImage(rows) {
    const sums = new Float64Array(rows[0].length);
    for (const row of rows) row.forEach((one, i) => { sums[i] += one; });
    return Array.from(sums, (sum) => sum / rows.length);
  }

  /** Mean over images with the normal interval. */
  function overImages(values) {
    const middle = mean(values), error = Math.sqrt(variance(values) / values.length);
    const p = error ? 2 * jStat.normal.cdf(-Math.abs(middle) / error, 0, 1) : Number(middle === 0);
    return { estimate: [middle, middle - Z * error, middle + Z * error], p };
  }

  /** First minus second of some conditions, {estimate: [value, low, high] in points, p}, or null. */
  function difference(first, second, conditions, outcome = "top1") {
    const ours = outcomes(first, conditions, outcome), theirs = outcomes(second, conditions, outcome);
    if (!ours || !theirs || !ours.length) return null;
    const found = paired(ours, theirs, conditions.length === 1);
    return { estimate: found.estimate.map((one) => 100 * one), p: found.p };
  }

  function paired(ours, theirs, single) {
    const [b, c] = discordant(ours[0], theirs[0]);
    const fixed = same(ours) && same(theirs);
    if (ours.length === 1) return { estimate: agresti(b, c, ours[0].length), p: mcnemar(b, c) };
    const rows = ours.map((row, d) => Array.from(row, (bit, i) => bit - theirs[d][i]));
    const found = single ? crossedSum([rows]) : overImages(perImage(rows));
    return fixed ? { estimate: agresti(b, c, ours[0].length), p: found.p } : found;
  }

  /** Outcomes of a family, level by level [draws][images]; in the worst case an image that fell at a level falls at all above. */
  function familyRows(found, family) {
    const levels = family.levels.map((places) => outcomes(found, places, "top1"));
    if (!family.worst) return levels;
    let standing = null;
    return levels.map((rows) => {
      standing = (standing ? [standing, ...rows] : rows).reduce((all, row) => all.map((bit, i) => bit & row[i]));
      return [standing];
    });
  }

  /** First minus second of a score (see robench/results/scores.py), weighted, added up where the number of draws is the same. */
  function scoreBlocks(first, second, families) {
    const blocks = new Map();
    for (const family of families) {
      const [ours, theirs] = [first, second].map((found) => familyRows(found, family));
      const weight = 1 / (families.length * ours.length);
      ours.forEach((rows, level) => {
        const sums = blocks.get(rows.length) || rows.map((row) => new Float64Array(row.length));
        rows.forEach((row, d) => row.forEach((bit, i) => { sums[d][i] += weight * (bit - theirs[level][d][i]); }));
        blocks.set(rows.length, sums);
      });
    }
    return [...blocks.values()];
  }

  function scoreDifference(first, second, families) {
    const found = crossedSum(scoreBlocks(first, second, families));
    return { estimate: found.estimate.map((one) => 100 * one), p: found.p };
  }

  /** Holm's adjustment. */
  function holm(values) {
    const order = values.map((value, place) => [value, place]).sort((one, other) => one[0] - other[0]);
    const adjusted = [];
    let largest = 0;
    order.forEach(([value, place], rank) => {
      largest = Math.max(largest, Math.min((values.length - rank) * value, 1));
      adjusted[place] = largest;
    });
    return adjusted;
  }

  return { difference, scoreDifference, holm };
})();
