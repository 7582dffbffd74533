// Puts the parts in their places; each is drawn again when the view changes.

import { onSystemTheme } from "./colour.js";
import { controls } from "./controls.js";
import { curves } from "./curves.js";
import { load, page } from "./data.js";
import { film } from "./film.js";
import { grid } from "./grid.js";
import { map } from "./map.js";
import { readout } from "./readout.js";
import { run } from "./run.js";
import { onChange, start, state } from "./state.js";
import { strip } from "./strip.js";

const place = (id) => document.getElementById(id);
const beside = readout(place("readout"));
const drawFilm = film(place("film"));
const parts = [
  controls(place("controls"), draw),
  grid(place("grid")),
  map(place("map"), beside.tell),
  beside.draw,
  strip(place("strip")),
  drawFilm,
  curves(place("curves")),
];

function draw() {
  for (const part of parts) part();
}

let unpacked = null;

/** Unpacks the other steps of a prompt, so that the slider never waits. */
async function unpackAll() {
  const { prompt } = state;
  if (unpacked === prompt) return;
  unpacked = prompt;
  for (let step = 0; step < page.prompts[prompt].steps.length; step++) await load(prompt, step);
  if (prompt === state.prompt) drawFilm();
}

run();
onChange(draw);
onChange(unpackAll);
onSystemTheme(draw);
start().then(() => document.documentElement.setAttribute("data-ready", ""));
