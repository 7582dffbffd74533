// The prompt as text: one token chosen, the others shaded by the weight between them.

import { shade } from "../base/colour.js";
import { element } from "../base/dom.js";
import { formatWeight, visible } from "../base/label.js";
import { largest } from "../base/maps.js";
import { change, shownMaps, shownPrompt, state } from "../base/state.js";

const DIRECTIONS = [["from", "reads from"], ["by", "is read by"]];
const MAX_TOKENS = 512; // tokens in a line: of more, those around the chosen one

/** One line of tokens, each a query and a key; where the keys are other tokens, a line of queries and a line of keys. */
export function strip(host) {
  const buttons = DIRECTIONS.map(([direction, text]) => {
    const button = element("button", { type: "button" }, text);
    button.addEventListener("click", () => change({ direction }));
    return button;
  });
  const lines = element("div", { class: "lines" });
  const written = element("p", { class: "note" }, "Underlined: written by the model.");
  host.append(element("div", { class: "toggle", role: "group", "aria-label": "Direction" }, ...buttons), lines, written);

  let shown = null;
  let drawn = [];

  function build() {
    const { tokens, keys, generatedFrom } = shownPrompt();
    written.hidden = generatedFrom === null;
    drawn = keys
      ? [line("Queries", tokens, { from: "query" }), line("Keys", keys, { by: "key" })]
      : [line("", tokens, { from: "query", by: "query" }, generatedFrom ?? Infinity)];
    lines.replaceChildren(...drawn.map(({ node }) => node));
  }

  return () => {
    if (shown !== shownPrompt().id) {
      shown = shownPrompt().id;
      build();
    }
    DIRECTIONS.forEach(([direction], index) => buttons[index].setAttribute("aria-pressed", state.direction === direction));
    for (const { draw } of drawn) draw();
  };
}

/**
 * A line of tokens. `chooses` names, for the directions in which the token is chosen in this line, the part of the view
 * that is chosen; in the other directions this line is the one that is shaded.
 */
function line(name, tokens, chooses, generatedFrom = Infinity) {
  const text = element("div", { class: "strip", role: "group", "aria-label": `${name || "Tokens of the prompt"}; arrow keys choose` });
  const part = element("p", { class: "note" });
  const node = element("div", { class: "line" }, ...(name ? [element("h3", {}, name)] : []), text, part);
  const axis = Object.values(chooses)[0];
  const choose = (index) => change({ [axis]: index, ...(state.direction in chooses ? {} : { direction: Object.keys(chooses)[0] }) });
  let first = null;
  let buttons = [];

  text.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move) return;
    event.preventDefault();
    choose(Math.max(0, Math.min(tokens.length - 1, state[axis] + move))).then(() => buttons[state[axis] - first].focus());
  });

  function build() {
    const here = tokens.slice(first, first + MAX_TOKENS);
    part.textContent = here.length < tokens.length ? `Tokens ${first} to ${first + here.length - 1} of ${tokens.length}.` : "";
    buttons = here.map((token, index) => {
      const button = element("button", { type: "button" }, element("bdi", {}, visible(token)));
      button.addEventListener("click", () => choose(first + index));
      button.classList.toggle("generated", first + index >= generatedFrom);
      return button;
    });
    text.replaceChildren(...buttons);
  }

  /** The cell of the map between a token of this line and the chosen one; null where nothing is shaded here. */
  function cellOf(index) {
    if (name && state.direction in chooses) return null;
    return state.direction === "from" ? [state.query, index] : [index, name ? state.key : state.query];
  }

  function draw() {
    const start = Math.max(0, Math.min(tokens.length - MAX_TOKENS, Math.floor(state[axis] / (MAX_TOKENS / 2)) * (MAX_TOKENS / 2) - MAX_TOKENS / 4));
    if (first !== start) {
      first = start;
      build();
    }
    const maps = shownMaps();
    buttons.forEach((button, offset) => {
      const index = first + offset;
      const cell = cellOf(index);
      const weight = cell && maps.weight(state.layer, state.head, ...cell);
      const max = state.scale === "row" && weight !== null ? largest(maps.row(state.layer, state.head, cell[0])) : 1;
      const { background, ink } = weight === null ? { background: "", ink: "" } : shade(weight, max, state.scale);
      button.style.background = background;
      button.style.color = ink;
      const title = cell ? `${index}: ${formatWeight(weight, maps.digits)}` : String(index);
      if (button.title !== title) button.title = title;
      button.classList.toggle("unseen", cell !== null && weight === null);
      const chosen = index === state[axis];
      button.classList.toggle("chosen", chosen && state.direction in chooses);
      button.tabIndex = chosen ? 0 : -1;
    });
  }

  return { node, draw };
}
