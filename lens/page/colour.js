// The colour scale: weights to colours, maps to pixels, and the legend.

import { element } from "./dom.js";
import { page } from "./data.js";

export const SCALES = [["absolute", "0 to 1"], ["row", "row maximum"], ["log", "logarithmic"]];
const DECADES = 3; // the logarithmic scale starts at 0.001, the last digit that every step carries

const dark = matchMedia("(prefers-color-scheme: dark)");
let chosen = null; // a theme chosen on the page; otherwise the system's
export const theme = () => chosen ?? (dark.matches ? "dark" : "light");

export function switchTheme() {
  chosen = theme() === "dark" ? "light" : "dark";
  document.documentElement.style.colorScheme = chosen;
}

export function onSystemTheme(listener) {
  dark.addEventListener("change", listener);
}

const tables = Object.fromEntries(Object.entries(page.colours).map(([name, stops]) => [name, table(stops.map(channels))]));

function channels(hex) {
  return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
}

/** 256 colours [r, g, b] between the stops. */
function table(stops) {
  return Array.from({ length: 256 }, (_, level) => {
    const place = (level / 255) * (stops.length - 1);
    const before = Math.min(Math.floor(place), stops.length - 2);
    return stops[before].map((from, channel) => Math.round(from + (stops[before + 1][channel] - from) * (place - before)));
  });
}

/** The place of a weight in the scale, 0 to 255; `most` is the largest of its row. */
function level(weight, most, scale) {
  const share = scale === "row" ? weight / most : scale === "log" ? 1 + Math.log10(weight) / DECADES : weight;
  return Math.max(0, Math.min(255, Math.round(share * 255))) || 0;
}

/** The background of a weight and a text colour that can be read on it. */
export function shade(weight, most, scale) {
  const [red, green, blue] = tables[theme()][level(weight, most, scale)];
  const bright = 0.2126 * red + 0.7152 * green + 0.0722 * blue > 120;
  return { background: `rgb(${red} ${green} ${blue})`, ink: bright ? "#14171c" : "#f7f5f0" };
}

/** Draws one head on a canvas, a pixel a cell. Masked cells stay clear, so the hatching behind shows. */
export function paint(canvas, maps, layer, head, scale) {
  const { length } = maps;
  if (canvas.width !== length) canvas.width = canvas.height = length;
  const image = new ImageData(length, length);
  const pixels = new Uint32Array(image.data.buffer);
  const colours = packed();
  for (let query = 0; query < length; query++) {
    const row = maps.row(layer, head, query);
    const most = scale === "row" ? row.reduce((one, other) => Math.max(one, other), 0) : 1;
    for (let key = 0; key < row.length; key++) pixels[query * length + key] = colours[level(row[key], most, scale)];
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

const packs = {};

/** The table as pixels (alpha, blue, green, red from the top byte down). */
function packed() {
  packs[theme()] ??= Uint32Array.from(tables[theme()], ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0);
  return packs[theme()];
}

export function legend(scale) {
  const marks = {
    absolute: ["0", ".25", ".5", ".75", "1"],
    row: ["0", "", "half", "", "the row's largest"],
    log: [".001", ".01", ".1", "1"],
  };
  const bar = element("div", { class: "legend-bar" });
  bar.style.background = `linear-gradient(to right, ${page.colours[theme()].join(", ")})`;
  const ticks = element("div", { class: "legend-ticks" }, ...marks[scale].map((mark) => element("span", {}, mark)));
  return [bar, ticks];
}
