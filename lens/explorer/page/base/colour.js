// The colour scales, for weights and for signed values: numbers to colours, maps to pixels, and the legend.

import { page } from "./data.js";
import { element } from "./dom.js";
import { t } from "./words.js";

export const SCALES = [["absolute", t("0 to 1")], ["row", t("row maximum")], ["log", t("logarithmic")]];
const DECADES = 3; // the logarithmic scale starts at 0.001, the last digit that every step carries

const dark = matchMedia("(prefers-color-scheme: dark)");
let system = dark.matches; // asked once: a question to the browser for every map painted takes its time
dark.addEventListener("change", () => (system = dark.matches));
let chosen = "system"; // or "light" or "dark", chosen on the page
export const chosenTheme = () => chosen;
export const theme = () => (chosen === "system" ? (system ? "dark" : "light") : chosen);

export function chooseTheme(name) {
  if (name === chosen) return;
  chosen = name;
  document.documentElement.style.colorScheme = name === "system" ? "" : name;
}

export function onSystemTheme(listener) {
  dark.addEventListener("change", listener);
}

const tablesOf = (colours) => Object.fromEntries(Object.entries(colours).map(([name, stops]) => [name, table(stops.map(channels))]));
const tables = tablesOf(page.colours);
const signedTables = tablesOf(page.signed);

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

/** The place of a weight in the scale, 0 to 255; on the row scale of its share of the row's largest. */
const level = (share, scale) => (scale === "log" ? logarithmic(share) : linear(share));

const linear = (share) => (share >= 1 ? 255 : (share * 255 + 0.5) | 0); // none is negative

const FINE = 1e5; // places of the table of logarithms: at 0.001 a hundredth of a weight apart, less than a level
let logarithms = null;

function logarithmic(weight) {
  logarithms ??= Uint8Array.from({ length: FINE + 1 }, (_, place) => Math.round(Math.max(0, 1 + Math.log10(place / FINE) / DECADES) * 255));
  return logarithms[Math.max(0, Math.min(FINE, Math.round(weight * FINE)))];
}

/** The background of a weight and a text colour that can be read on it; `max` is the largest of its row. */
export function shade(weight, max, scale) {
  return readable(tables[theme()][level(scale === "row" ? weight / (max || 1) : weight, scale)]);
}

/** The place of a signed value in its scale, 0 to 255: 0 is -`max` or less, the middle is 0. */
const signedLevel = (value, max) => Math.max(0, Math.min(255, Math.round(127.5 * (1 + value / (max || 1)))));

/** As `shade`, of a value between -`max` and `max`. */
export function signedShade(value, max) {
  return readable(signedTables[theme()][signedLevel(value, max)]);
}

/** Draws signed values as pixels, `width` to a row; one that is NaN stays clear. */
export function paintSigned(canvas, values, max, width = Math.max(1, values.length)) {
  const colours = signedTables[theme()];
  canvas.width = width;
  canvas.height = Math.ceil(values.length / width) || 1;
  const image = new ImageData(canvas.width, canvas.height);
  for (let index = 0; index < values.length; index++) {
    if (Number.isNaN(values[index])) continue;
    const [red, green, blue] = colours[signedLevel(values[index], max)];
    image.data[4 * index] = red;
    image.data[4 * index + 1] = green;
    image.data[4 * index + 2] = blue;
    image.data[4 * index + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** A background, and black or white on it: of each luminance one of the two has a contrast of 4.5. */
function readable([red, green, blue]) {
  const [r, g, b] = [red, green, blue].map((channel) => ((channel / 255 + 0.055) / 1.055) ** 2.4);
  return { background: `rgb(${red} ${green} ${blue})`, ink: 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000000" : "#ffffff" };
}

/**
 * Draws one head on a canvas, a pixel for each of the squares of `maps` (see Maps.squares), of the whole map or of a
 * `part`. Masked squares stay clear, so the hatching behind shows.
 */
export function paint(canvas, maps, layer, head, scale, part) {
  const { squares, width, height } = maps.squares(layer, head, scale === "row", part);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  if (image?.width !== width || image.height !== height) {
    image = new ImageData(width, height);
    pixels = new Uint32Array(image.data.buffer);
  }
  const colours = packed();
  if (scale === "log") for (let at = 0; at < pixels.length; at++) pixels[at] = squares[at] < 0 ? 0 : colours[logarithmic(squares[at])];
  else for (let at = 0; at < pixels.length; at++) pixels[at] = squares[at] < 0 ? 0 : colours[linear(squares[at])];
  canvas.getContext("2d").putImageData(image, 0, 0);
}

let [image, pixels] = [null, null]; // used again for pictures of one size, which are many at a time

const packs = {};

/** The table as pixels (alpha, blue, green, red from the top byte down). */
function packed() {
  packs[theme()] ??= Uint32Array.from(tables[theme()], ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0);
  return packs[theme()];
}

/** What the ends and some places between are called on a scale's legend, evenly spaced. */
export const TICKS = {
  absolute: ["0", ".25", ".5", ".75", "1"],
  row: ["0", t("half"), t("the row’s largest")],
  log: [t(".001 or less"), ".01", ".1", "1"],
};

/** A scale as a background, its least at the left; `colours`: page.colours or page.signed. */
export const gradient = (colours) => `linear-gradient(to right, ${colours[theme()].join(", ")})`;

export function legend(scale) {
  const bar = element("div", { class: "legend-bar" });
  bar.style.background = gradient(page.colours);
  const ticks = TICKS[scale].map((text, index) => {
    const tick = element("span", {}, text);
    const share = `${(100 * index) / (TICKS[scale].length - 1)}%`;
    Object.assign(tick.style, { left: share, transform: `translateX(-${share})` }); // the ends flush, the others centred
    return tick;
  });
  return [bar, element("div", { class: "legend-ticks" }, ...ticks)];
}
