// Puts the parts in their places; each is drawn again when the view changes.

import { onSystemTheme } from "./colour.js";
import { controls } from "./controls.js";
import { curves } from "./curves.js";
import { fits, glance, load, page } from "./data.js";
import { film } from "./film.js";
import { grid } from "./grid.js";
import { logitLens } from "./logitlens.js";
import { map } from "./map.js";
import { opening } from "./opening.js";
import { overview } from "./overview.js";
import { parts } from "./parts.js";
import { predictions } from "./predictions.js";
import { readout } from "./readout.js";
import { run } from "./run.js";
import { onChange, start, state } from "./state.js";
import { strip } from "./strip.js";
import { walk } from "./walk.js";

const place = (id) => document.getElementById(id);
const beside = readout(place("readout"));
const drawFilm = film(place("film"));
const drawings = [
  controls(place("controls"), draw),
  opening(place("opening")),
  grid(place("grid")),
  overview(place("overview")),
  map(place("map"), beside.tell),
  beside.draw,
  strip(place("strip")),
  walk(place("walk")),
  drawFilm,
  curves(place("curves")),
  predictions(place("predictions")),
  logitLens(place("lens")),
  parts(place("parts")),
];

function draw() {
  for (const drawing of drawings) drawing();
}

let ahead = null;

/** Unpacks the other steps of a prompt, so that the slider never waits; of very large maps no more than small pictures. */
async function unpackAhead() {
  const { prompt } = state;
  if (ahead === prompt) return;
  ahead = prompt;
  const unpack = fits(page.prompts[prompt]) ? load : glance;
  for (let step = 0; step < page.prompts[prompt].steps.length && prompt === ahead; step++) {
    await unpack(prompt, step);
    await new Promise((done) => setTimeout(done)); // what the reader does goes first
  }
  if (prompt === ahead) drawFilm();
}

// With a modifier the arrow keys are the browser's own: back and forward.
addEventListener("keydown", (event) => {
  if (event.altKey || event.metaKey || event.ctrlKey) event.stopPropagation();
}, true);
run();
onChange(draw);
onChange(unpackAhead);
onSystemTheme(draw);
start().then(() => {
  document.documentElement.setAttribute("data-ready", "");
  performance.mark("ready");
});
