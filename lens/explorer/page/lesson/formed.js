// How two heads of the default run formed: the explorer's own slider, film and map, of the maps that docs/film.py kept.

import { chosenTheme } from "../base/colour.js";
import { training } from "../base/controls.js";
import { hold, page, place } from "../base/data.js";
import { element } from "../base/dom.js";
import { formatWeight, wordAt } from "../base/label.js";
import { change, onChange, shownMaps, state } from "../base/state.js";
import { phrase, t } from "../base/words.js";
import { film } from "../maps/film.js";
import { map } from "../maps/map.js";
import { toggle } from "./field.js";
import { scores } from "./headscores.js";

export function formed(host, { measured: { formed: recorded } }) {
  if (!recorded) return null;
  const { tokens, steps, query, key, previous_token: previous, induction } = recorded;
  const prompt = page.prompts.length;
  carry(recorded, prompt);

  const nameOf = ({ layer, head }) => `${layer}.${head}`;
  const word = (at) => element("bdi", { class: "token", lang: "en" }, wordAt(tokens, at));
  const weight = (id, { layer, head, query, key }) => element("b", { class: "number", id }, formatWeight(shownMaps().weight(layer, head, query, key), shownMaps().digits));
  const cells = {
    previous: { layer: previous.layer, head: previous.head, query: key, key: key - 1 },
    induction: { layer: induction.layer, head: induction.head, query, key },
  };
  const heads = toggle(t("Head"), [
    ["previous", t("{head} looks one token back", { head: nameOf(previous) })],
    ["induction", t("{head} looks for what came next last time", { head: nameOf(induction) })],
  ], "induction", (name) => change(cells[name]));
  const time = training();
  const frames = element("div", { id: "film" });
  const large = element("div");
  const read = element("p", { id: "cell", "aria-live": "polite" });
  const curves = scores(recorded, (step) => change({ step }));
  const says = element("p", { class: "says" });
  host.append(
    element("h3", {}, t("Play the training, choose a step, or point at the map")), heads.node, time.field, frames,
    element("div", { class: "film-head" }, element("div", {}, large, read), element("div", {}, curves.node, says)));

  const drawings = [time.draw, film(frames), map(large, showCell), () => curves.draw(state.step), tell];
  onChange(() => drawings.forEach((draw) => draw()));
  change({ prompt, step: steps.length - 1, theme: chosenTheme(), ...cells.induction });
  return () => change({ theme: chosenTheme() });

  function showCell(cell) {
    const at = cell ?? state;
    read.replaceChildren(word(at.query), " → ", word(at.key), " ", weight("weight", { ...state, ...at }));
  }

  function tell() {
    says.replaceChildren(...phrase("At the second {word}, head {head} gives {next}, which came next the first time, a weight of {weight}.", {
      word: word(query), next: word(key), head: nameOf(induction), weight: weight("film-weight", cells.induction),
    }));
  }
}

/** Puts what was recorded among the prompts of the page, as number `prompt`; of the other heads nothing is known. */
function carry({ tokens, steps, repeat, previous_token, induction }, prompt) {
  const known = Object.entries({ previous_token, induction });
  const [layers, heads] = ["layer", "head"].map((axis) => 1 + Math.max(...known.map(([, one]) => one[axis])));
  const metrics = (at) => Array.from({ length: layers }, (_, layer) => Array.from({ length: heads }, (_, head) =>
    Object.fromEntries(known.filter(([, one]) => one.layer === layer && one.head === head).map(([name, one]) => [name, one.scores[at]]))));
  place({ tokens, repeat, layers, heads, causal: true, given: [], steps: steps.map((step, at) => ({ step, metrics: metrics(at) })) }, prompt);
  const size = (tokens.length * (tokens.length + 1)) / 2;
  steps.forEach((_, at) => {
    const numbers = new Float64Array(layers * heads * size);
    for (const [, { layer, head, maps }] of known) numbers.set(Array.from(maps[at], weightOf), (layer * heads + head) * size);
    hold(prompt, at, "", { weights: { numbers, digits: 2 }, full: null, effects: null, live: null });
  });
}

/** The weight that a character stands for, see `packed` in docs/film.py. */
const weightOf = (character) => (character.charCodeAt(0) - 48) / 100;
