// The prompt as text: one token chosen, the others shaded by the weight between them.

import { shade } from "./colour.js";
import { element } from "./dom.js";
import { printed, visible } from "./label.js";
import { change, shownMaps, shownPrompt, state } from "./state.js";

const DIRECTIONS = [["from", "reads from"], ["by", "is read by"]];

export function strip(host) {
  const buttons = DIRECTIONS.map(([direction, text]) => {
    const button = element("button", { type: "button" }, text);
    button.addEventListener("click", () => change({ direction }));
    return button;
  });
  const text = element("div", { class: "strip", role: "group", "aria-label": "Tokens of the prompt; arrow keys choose" });
  const written = element("p", { class: "note" }, "Underlined: written by the model.");
  host.append(element("div", { class: "toggle", role: "group", "aria-label": "Direction" }, ...buttons), text, written);

  text.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move) return;
    event.preventDefault();
    change({ query: state.query + move }).then(() => text.children[state.query].focus());
  });

  let shown = null;

  function build() {
    const { tokens, generatedFrom } = shownPrompt();
    written.hidden = generatedFrom === null;
    text.replaceChildren(
      ...tokens.map((token, index) => {
        const button = element("button", { type: "button" }, element("bdi", {}, visible(token)));
        button.addEventListener("click", () => change({ query: index }));
        button.classList.toggle("generated", generatedFrom !== null && index >= generatedFrom);
        return button;
      }),
    );
  }

  return () => {
    if (shown !== state.prompt) {
      shown = state.prompt;
      build();
    }
    DIRECTIONS.forEach(([direction], index) => buttons[index].setAttribute("aria-pressed", state.direction === direction));
    const maps = shownMaps();
    const weights = Array.from(text.children, (_, index) =>
      state.direction === "from"
        ? maps.weight(state.layer, state.head, state.query, index)
        : maps.weight(state.layer, state.head, index, state.query));
    const most = Math.max(...weights);
    Array.from(text.children).forEach((button, index) => {
      const weight = weights[index];
      const { background, ink } = weight === null ? { background: "", ink: "" } : shade(weight, most, state.scale);
      button.style.background = background;
      button.style.color = ink;
      button.classList.toggle("unseen", weight === null);
      button.classList.toggle("chosen", index === state.query);
      button.tabIndex = index === state.query ? 0 : -1;
      button.title = `${index}: ${printed(weight, maps.digits)}`;
    });
  };
}
