// Puts the parts in their places; each is drawn again when the view changes.

import { onSystemTheme } from "./base/colour.js";
import { controls } from "./base/controls.js";
import { fits, kind, liveOf, load, loadSmall, page } from "./base/data.js";
import { leaveModified } from "./base/dom.js";
import { onChange, shownPrompt, start, state, switchedOff } from "./base/state.js";
import { tabs } from "./base/tabs.js";
import { terms } from "./base/terms.js";
import { becomeLesson, keepLooks, lessonAsked } from "./base/tolesson.js";
import { t, translatePage } from "./base/words.js";
import { compare } from "./compare/compare.js";
import { logitLens } from "./effects/logitlens.js";
import { next } from "./effects/next.js";
import { parts } from "./effects/parts.js";
import { live } from "./live/live.js";
import { predictions } from "./effects/predictions.js";
import { arcs } from "./maps/arcs.js";
import { curves } from "./maps/curves.js";
import { film } from "./maps/film.js";
import { grid } from "./maps/grid.js";
import { map } from "./maps/map.js";
import { overview } from "./maps/overview.js";
import { readout } from "./maps/readout.js";
import { views } from "./maps/views.js";
import { run } from "./run/run.js";
import { title } from "./run/title.js";
import { story } from "./story/story.js";
import { swap } from "./swap/swap.js";
import { walk } from "./walk/walk.js";

const place = (id) => document.getElementById(id);
const drawings = [];

function draw() {
  for (const drawing of drawings) drawing();
}

const REST = 1000; // milliseconds after which the reader is taken to have stopped typing
let ahead = null;

/** Unpacks the other steps of a prompt, so that the slider never waits; of very large maps no more than small pictures. */
async function unpackAhead() {
  const { prompt } = state;
  const now = `${shownPrompt().id} ${switchedOff(state)}`;
  if (ahead === now) return;
  ahead = now;
  const isRead = liveOf(prompt, state.step) !== null; // by the model in the page, which the reader wants for what is typed
  await new Promise((done) => setTimeout(done, isRead ? REST : 0));
  const unpack = fits(page.prompts[prompt]) ? load : loadSmall;
  for (let step = 0; now === ahead && step < page.prompts[prompt].steps.length; step++) {
    await unpack(prompt, step);
    await new Promise((done) => setTimeout(done)); // what the reader does goes first
  }
  if (now === ahead) draw();
}

function explore() {
  translatePage();
  for (const part of document.querySelectorAll(".of-run, .of-model, .of-examples")) part.hidden = !part.matches(`.of-${kind}`);
  const { draw: drawReadout, showCell } = readout(place("readout"));
  drawings.push(
    tabs(place("tabs"), kind === "model" ? { run: t("The model") } : {}),
    views(place("views")),
    controls(place("controls")),
    title(place("opening")),
    grid(place("grid")),
    drawReadout,
    next(place("next")),
    overview(place("overview")),
    map(place("map"), showCell),
    walk(place("walk")),
    film(place("film")),
    curves(place("curves")),
    predictions(place("predictions")),
    logitLens(place("lens")),
    parts(place("parts")),
    swap(place("swap")),
    compare(place("compare")),
    arcs(place("text")), // after the others, as it measures where tokens are
  );

  leaveModified();
  keepLooks();
  run();
  terms(place("terms"));
  const startModel = live(place("live"));
  onChange(draw);
  onChange(unpackAhead);
  onSystemTheme(draw);
  start().then(() => {
    document.documentElement.setAttribute("data-ready", "");
    performance.mark("ready");
    startModel();
    story(place("story"), place("opening"));
  });
}

if (lessonAsked()) becomeLesson();
else explore();
