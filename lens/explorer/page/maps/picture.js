// The map of one head as a picture to keep: drawn anew, with its title, its tokens and its colour scale.

import { headInWords } from "../base/cells.js";
import { SCALES, TICKS, paint, shade, theme } from "../base/colour.js";
import { kind, name, page } from "../base/data.js";
import { element } from "../base/dom.js";
import { short, wordAt } from "../base/label.js";
import { largest } from "../base/maps.js";
import { shownKeys, shownMaps, shownPart, shownPrompt, shownStep, state } from "../base/state.js";
import { t } from "../base/words.js";

const SIDE = 1024; // pixels that the map is about high or wide
const MARGIN = { left: 140, top: 190, right: 40, bottom: 96 }; // pixels around it, for what is written there
const TITLE = 420; // pixels that a title needs at least
const SANS = "ui-sans-serif, system-ui, sans-serif";

/** {canvas, name}: the part of the map that is shown large, in the colours of the page, and a name for its file. */
export function mapPicture() {
  const part = shownPart();
  const cell = Math.min(64, Math.floor(SIDE / Math.max(part.rows, part.columns))); // 12 at least: a part has at most 80
  const [wide, tall] = [cell * part.columns, cell * part.rows];
  const width = MARGIN.left + Math.max(wide, TITLE) + MARGIN.right;
  const canvas = element("canvas", { width, height: MARGIN.top + tall + MARGIN.bottom });
  const pen = canvas.getContext("2d");
  const inks = inksOfPage();
  pen.fillStyle = inks.paper;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  titles(pen, inks, part, canvas.width - 40);
  pen.translate(MARGIN.left, MARGIN.top);
  cells(pen, inks, part, cell);
  labels(pen, inks, part, cell);
  pen.translate(0, tall + 32);
  scale(pen, inks, shownPrompt().causal && part.key + part.columns - 1 > part.query);
  const words = [name ?? "example", shownPrompt().name, ...(kind === "model" ? [] : ["step", shownStep().step]), "layer", state.layer, "head", state.head];
  return { canvas, name: `${words.join(" ").replace(/[^\p{L}\p{N}.]+/gu, "-")}.png` };
}

/** The colours of the page as it is shown, by the names they have in its style. */
function inksOfPage() {
  const probe = element("span");
  document.body.append(probe);
  const inks = {};
  for (const name of ["paper", "ink", "muted", "rule", "masked", "hatch"]) {
    probe.style.color = `var(--${name})`;
    inks[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return inks;
}

function write(pen, text, x, y, { font = `13px ${SANS}`, fill, align = "left", room = Infinity }) {
  Object.assign(pen, { font, fillStyle: fill, textAlign: align, textBaseline: "middle" });
  let seen = Array.from(text);
  while (seen.length > 1 && pen.measureText(seen.join("")).width > room) seen = [...seen.slice(0, -2), "…"];
  pen.fillText(seen.join(""), x, y);
}

function titles(pen, inks, part, room) {
  const prompt = shownPrompt();
  const names = [name, prompt.name].filter((one) => one !== null).join(" · ");
  write(pen, names, 20, 34, { font: `600 19px ${SANS}`, fill: inks.ink, room });
  const { queries, keys } = shownMaps();
  const facts = [
    ...(kind !== "run" ? [] : [t("step {step}", { step: shownStep().step.toLocaleString("en") })]),
    headInWords(),
    ...(part.rows < queries || part.columns < keys
      ? [t("queries {first} to {last} of {queries}, keys {from} to {to} of {keys}", {
        first: part.query, last: part.query + part.rows - 1, queries, from: part.key, to: part.key + part.columns - 1, keys,
      })]
      : []),
  ];
  write(pen, facts.join(" · "), 20, 60, { font: `15px ${SANS}`, fill: inks.muted, room });
}

function cells(pen, inks, part, cell) {
  const [wide, tall] = [cell * part.columns, cell * part.rows];
  hatch(pen, inks, wide, tall);
  const small = element("canvas");
  paint(small, shownMaps(), state.layer, state.head, state.scale, part);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(small, 0, 0, wide, tall);
  pen.strokeStyle = inks.rule;
  pen.strokeRect(-0.5, -0.5, wide + 1, tall + 1);
  if (cell < 36) return; // no room for numbers
  for (let line = 0; line < part.rows; line++) {
    const row = shownMaps().row(state.layer, state.head, part.query + line);
    const max = largest(row);
    for (let column = 0; column < Math.min(part.columns, row.length - part.key); column++) {
      const weight = row[part.key + column];
      const middle = [(column + 0.5) * cell, (line + 0.5) * cell];
      write(pen, cell < 64 ? short(weight) : weight.toFixed(Math.min(4, shownMaps().digits)), ...middle, { fill: shade(weight, max, state.scale).ink, align: "center" });
    }
  }
}

function hatch(pen, inks, wide, tall) {
  pen.save();
  pen.beginPath();
  pen.rect(0, 0, wide, tall);
  pen.clip();
  pen.fillStyle = inks.masked;
  pen.fillRect(0, 0, wide, tall);
  pen.strokeStyle = inks.hatch;
  for (let x = -tall; x < wide; x += 8) {
    pen.beginPath();
    pen.moveTo(x, tall);
    pen.lineTo(x + tall, 0);
    pen.stroke();
  }
  pen.restore();
}

/** The tokens of both axes. */
function labels(pen, inks, part, cell) {
  const font = `${Math.min(14, cell - 3)}px ${SANS}`;
  for (let index = 0; index < part.rows; index++) {
    const place = { font, fill: inks.ink, align: "right", room: MARGIN.left - 24 };
    write(pen, wordAt(shownPrompt().tokens, part.query + index), -8, (index + 0.5) * cell, place);
  }
  pen.save();
  pen.rotate(-Math.PI / 2);
  for (let index = 0; index < part.columns; index++) {
    write(pen, wordAt(shownKeys(), part.key + index), 8, (index + 0.5) * cell, { font, fill: inks.ink, room: 100 });
  }
  pen.restore();
  write(pen, t("key →"), -8, -30, { fill: inks.muted, align: "right" });
  write(pen, t("query ↓"), -8, -12, { fill: inks.muted, align: "right" });
}

function scale(pen, inks, masked) {
  const long = 320;
  const colours = pen.createLinearGradient(0, 0, long, 0);
  const stops = page.colours[theme()];
  stops.forEach((stop, index) => colours.addColorStop(index / (stops.length - 1), stop));
  pen.fillStyle = colours;
  pen.fillRect(0, 0, long, 12);
  const ticks = TICKS[state.scale];
  ticks.forEach((tick, index) => {
    const place = index / (ticks.length - 1);
    write(pen, tick, place * long, 26, { fill: inks.muted, align: place === 0 ? "left" : place === 1 ? "right" : "center" });
  });
  const [, name] = SCALES.find(([value]) => value === state.scale);
  write(pen, masked ? t("weight, {scale}; hatched: masked", { scale: name }) : t("weight, {scale}", { scale: name }), 0, 46, { fill: inks.muted });
}
