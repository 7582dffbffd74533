// The legend of the text: the heads in view with their colours, what each reads, and ways to add one or take it off.

import { chip } from "../base/cells.js";
import { choice, element, setOptions } from "../base/dom.js";
import { short, wordAt } from "../base/label.js";
import { badges } from "../base/measures.js";
import { PLACES, headsInView, mayPin, nameOf, toggled } from "../base/pins.js";
import { change, isOff, shownPrompt, state } from "../base/state.js";
import { t } from "../base/words.js";
import { badge } from "./badge.js";

export function legendOfHeads() {
  const entries = Array.from({ length: PLACES }, (_, place) => entry(place));
  const adding = choice(t("Add a head"), [["", "…"]], (name) => add(name));
  adding.select.addEventListener("focus", offer);
  const node = element("div", { class: "heads-in-view" },
    element("ul", { "aria-label": t("Heads in the text, each in its colour") }, ...entries.map((one) => one.node)), adding.field);

  async function add(name) {
    if (!name) return;
    const [layer, head] = name.split(".").map(Number);
    await change({ pins: toggled(state, { layer, head }) });
    offer();
  }

  /** Offers the heads that are not in view yet, those with a badge first: when somebody comes to choose, not at every step. */
  function offer() {
    const { layers, heads: count } = shownPrompt();
    const inView = headsInView(state).map(nameOf);
    const others = Array.from({ length: layers * count }, (_, n) => ({ layer: Math.floor(n / count), head: n % count }))
      .filter((one) => !inView.includes(nameOf(one)))
      .map((one) => ({ name: nameOf(one), marks: badges(state.prompt, state.step, one.layer, one.head) }))
      .sort((one, other) => other.marks.length - one.marks.length);
    setOptions(adding.select, [["", "…"], ...others.map(({ name, marks }) => [name, [name, ...marks.map(([{ label }]) => label)].join("  ")])]);
  }

  return {
    node,

    /** Shows `heads`, as of headsInView, each with its `arcs`, of which so many `readings` are named; they end at `tokens`. */
    draw(heads, tokens, readings) {
      for (const [place, one] of entries.entries()) one.draw(heads.find((head) => head.place === place), tokens, readings);
      const { layers, heads: count } = shownPrompt();
      adding.field.hidden = layers * count === heads.length;
      adding.select.disabled = !mayPin(state.pins) || heads.length === PLACES;
    },
  };
}

function entry(place) {
  const name = element("button", { type: "button", class: "head-name" }, "");
  const mark = element("span");
  const reads = element("span", { class: "reads", "aria-live": "polite" });
  const silent = element("span", { class: "silent" }, t("off: it looks, but what it brings is not used"));
  const pin = element("button", { type: "button", class: "pin" }, "");
  const node = element("li", {}, element("span", { class: `swatch place-${place}` }), name, mark, reads, silent, pin);
  let head = null;
  name.addEventListener("click", () => change({ layer: head.layer, head: head.head }));
  pin.addEventListener("click", () => change({ pins: toggled(state, head) }));

  function draw(shown, tokens, readings) {
    head = shown;
    node.hidden = !head;
    if (!head) return;
    const { layer, head: number, pinned, arcs } = head;
    const { layers, heads } = shownPrompt();
    name.textContent = nameOf(head);
    name.setAttribute("aria-label", t("Layer {layer}, head {head}", { layer, head: number }));
    name.setAttribute("aria-pressed", layer === state.layer && number === state.head);
    const [strongest] = badges(state.prompt, state.step, layer, number);
    mark.replaceChildren(...(strongest ? [badge(strongest, strongest[0].label)] : []));
    reads.replaceChildren(...arcs.slice(0, readings).flatMap(({ index, weight }) => [chip(wordAt(tokens, index)), ` ${short(weight)} `]));
    silent.hidden = !isOff(nameOf(head));
    pin.hidden = layers * heads === 1;
    pin.disabled = !pinned && !mayPin(state.pins);
    pin.textContent = pinned ? "×" : t("keep");
    pin.setAttribute("aria-label", pinned
      ? t("Take head {name} off", { name: nameOf(head) })
      : t("Keep head {name} when another is chosen", { name: nameOf(head) }));
  }

  return { node, draw };
}
