// Why the scores are divided by √d_k: the same random queries and keys, without and with it, as d_k grows.

import { element, svg } from "../base/dom.js";
import { formatNumber, power } from "../base/number.js";
import { phrase, t } from "../base/words.js";
import { CHANNELS, KEYS, MAX_CHANNELS, QUERIES, entropyOf, makeDraws, measureBoth, rowOf } from "./draws.js";

const START = CHANNELS.indexOf(64);
const RANGE = 40; // the histogram goes from minus that to that, a bar for each whole number
const WAYS = ["without", "with"];

const CURVES = [
  { key: "variance", title: t("Variance of the scores (logarithmic)"), logarithmic: true },
  { key: "entropy", title: t("Entropy of the weights (nats)") },
  { key: "median", title: t("Gradient at a typical query (median)") },
  { key: "extreme", title: t("Gradient at one query (largest)") },
];

export function scaling(host) {
  const measured = []; // by the place of d_k in CHANNELS, as measureBoth returns it
  let query = 0;
  const slider = element("input", { type: "range", min: 0, max: CHANNELS.length - 1, step: 1, value: START, oninput: draw, "aria-label": t("d_k, the channels of a query and of a key") });
  const shown = element("output");
  const columns = [phrase("Without {scale}", { scale: factor() }), phrase("With {scale}", { scale: factor() })].map((title, way) => column(title, WAYS[way]));
  const curves = CURVES.map(curve);
  const another = element("button", { type: "button", class: "save", onclick: () => {
    query = (query + 1) % QUERIES;
    draw();
  } }, t("Another query"));
  host.append(
    element("h3", {}, t("Move d_k, the number of channels")),
    element("label", { class: "slide" }, element("span", {}, ...size(), " = ", shown), slider),
    element("div", { class: "two" }, ...columns.map(({ node }) => node)),
    another,
    element("p", { class: "part-name" }, t("From d_k = 1 on the left to {most} on the right", { most: MAX_CHANNELS.toLocaleString("en") })),
    element("div", { class: "growth" }, ...curves.map(({ node }) => node)),
    element("p", { class: "note" }, t("{queries} random queries with {keys} keys each, all channels of variance 1, drawn by this page; a larger d_k adds channels to the same vectors.", { queries: QUERIES, keys: KEYS })),
  );

  function draw() {
    const at = Number(slider.value);
    shown.textContent = CHANNELS[at];
    slider.setAttribute("aria-valuetext", `d_k = ${CHANNELS[at]}`);
    curves.forEach((one) => one.draw(measured, at));
    if (!measured[at]) return;
    columns.forEach((one, way) => one.draw(measured[at].ways[way], query));
    host.dataset.shown = CHANNELS[at];
  }

  whenNear(host, () => measureAll(measured, draw, () => host.removeAttribute("aria-busy")));
  host.setAttribute("aria-busy", "true");
  draw();
}

const size = () => [element("var", {}, "d"), element("sub", {}, "k")];
const factor = () => element("span", {}, "1/√", ...size());

/** Calls `begin` once, when the reader comes near: so many numbers take a moment. */
function whenNear(host, begin) {
  const watch = new IntersectionObserver((entries) => {
    if (!entries.at(-1).isIntersecting) return;
    watch.disconnect();
    begin();
  }, { rootMargin: "600px 0px" });
  watch.observe(host);
}

/** Measures one number of channels at a time, so that the page stays usable in between. */
function measureAll(measured, step, end) {
  const draws = makeDraws();
  function next() {
    measured.push(measureBoth(draws, CHANNELS[measured.length]));
    step();
    if (measured.length < CHANNELS.length) setTimeout(next);
    else end();
  }
  next();
}

/** A column: the histogram of all scores, and one row's weights. */
function column(title, way) {
  const histogram = svg("svg", { viewBox: `0 0 ${2 * RANGE + 1} 40`, preserveAspectRatio: "none", role: "img" });
  const bars = svg("svg", { viewBox: `0 0 ${KEYS} 1`, preserveAspectRatio: "none", role: "img" });
  const [spread, row] = [element("p", { class: "reading" }), element("p", { class: "reading" })];
  const ticks = element("div", { class: "ticks" }, ...[-RANGE, 0, RANGE].map((tick) => element("span", {}, formatNumber(tick, 0))));
  const node = element("section", { class: way }, element("p", { class: "way" }, ...title),
    element("p", { class: "part-name" }, t("All scores")), histogram, ticks, spread,
    element("p", { class: "part-name" }, t("Weights of one query")), bars, row);

  function draw({ scores, variance, weights }, query) {
    const counts = countsOf(scores);
    const most = Math.max(...counts);
    histogram.replaceChildren(...counts.map((count, at) => svg("rect", { x: at + 0.08, width: 0.84, y: 40 - (40 * count) / most, height: (40 * count) / most })));
    spread.textContent = t("variance {variance}", { variance: readable(variance) });
    histogram.setAttribute("aria-label", spread.textContent);
    const shares = rowOf(weights, query);
    bars.replaceChildren(...Array.from(shares, (share, at) => svg("rect", { x: at + 0.1, width: 0.8, y: 1 - share, height: share })));
    row.textContent = t("largest {largest}, entropy {entropy} of {most} nats", {
      largest: formatNumber(Math.max(...shares), 2), entropy: formatNumber(entropyOf(shares), 2), most: formatNumber(Math.log(KEYS), 2),
    });
    bars.setAttribute("aria-label", row.textContent);
  }

  return { node, draw };
}

/** How many scores round to each whole number from -RANGE to RANGE; those beyond are off the picture. */
function countsOf(scores) {
  const counts = new Array(2 * RANGE + 1).fill(0);
  for (const score of scores) {
    const at = Math.round(score) + RANGE;
    if (at in counts) counts[at]++;
  }
  return counts;
}

/** One measure over all d_k, both ways, the place of the slider marked. */
function curve({ key, title, logarithmic }) {
  const paths = WAYS.map((way) => svg("path", { class: way }));
  const dots = WAYS.map((way) => element("i", { class: `point ${way}` }));
  const mark = svg("line", { class: "here", y1: 0, y2: 1 });
  const picture = svg("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" }, mark, ...paths);
  const values = WAYS.map((way) => element("span", { class: `number ${way}` }, ""));
  const node = element("figure", {}, element("figcaption", {}, title, element("div", {}, ...values)), element("div", { class: "plot-area" }, picture, ...dots));

  function draw(measured, place) {
    const height = heightOf(measured.flatMap(({ ways }) => ways.map((one) => one[key])), logarithmic);
    const across = (at) => at / (CHANNELS.length - 1);
    mark.setAttribute("x1", across(place));
    mark.setAttribute("x2", across(place));
    WAYS.forEach((_, way) => {
      const points = measured.map(({ ways }, at) => `${across(at)} ${1 - height(ways[way][key])}`);
      paths[way].setAttribute("d", points.length ? `M${points.join("L")}` : "");
      const now = measured[place]?.ways[way][key];
      dots[way].hidden = now === undefined;
      if (now === undefined) return;
      dots[way].style.left = `${100 * across(place)}%`;
      dots[way].style.bottom = `${100 * height(now)}%`;
      values[way].textContent = readable(now);
    });
  }

  return { node, draw };
}

/** A function from a value to its height, 0 to 1, of the largest of `values`; logarithmic: from 0.5 on. */
function heightOf(values, logarithmic) {
  const largest = Math.max(1, ...values);
  if (!logarithmic) return (value) => value / largest;
  return (value) => Math.log(value / 0.5) / Math.log(largest / 0.5);
}

/** Three digits or so, and a power of ten for what would round to nothing. */
function readable(value) {
  if (value < 0.01) return power(value, 1);
  return formatNumber(value, value < 10 ? 2 : value < 100 ? 1 : 0);
}
