// The two texts, token by token: a token of the first can be changed, one of the second be asked about; or the second is typed.

import { labelOf } from "../base/cells.js";
import { MOVES_ALONG, element } from "../base/dom.js";
import { wordAt } from "../base/label.js";
import { keepInView } from "../base/onscreen.js";
import { shownPrompt } from "../base/state.js";
import { phrase, t } from "../base/words.js";

/** `replace(at, id)`, `ask(position)` and `type(text)` are called with what the reader wants. */
export function twoTexts({ replace, ask, type }) {
  const first = line(t("The first text: choose a token to change it"), open);
  const second = line(t("The second text: choose a token to ask what comes after it"), ask);
  const others = element("div", { class: "swap-others", role: "group", hidden: "" });
  const box = element("textarea", { rows: 1, dir: "auto", spellcheck: "false", autocapitalize: "off", autocomplete: "off" });
  const says = element("p", { class: "note", role: "status" });
  box.addEventListener("input", () => type(box.value));
  others.addEventListener("keydown", (event) => event.key === "Escape" && close());
  const typing = element("details", { class: "swap-typing" }, element("summary", {}, t("Or type the second text")),
    element("label", {}, element("span", { class: "note" }, t("It needs as many tokens as the first.")), box));
  const node = element("div", { class: "swap-texts", hidden: "" }, first.node, others, second.node, typing, says);
  let shown = null; // {ids, likely, other}
  let opened = null; // the position whose token is being changed

  /** Offers tokens for the place of one of the first text. */
  function open(at) {
    opened = at;
    const { likely, ids, other } = shown;
    const { tokens } = shownPrompt();
    const here = (id) => element("button", { type: "button", class: "token", "aria-pressed": id === other[at], onclick: () => take(at, id) }, element("bdi", {}, labelOf(id, tokens[at - 1])));
    const word = element("bdi", { class: "token" }, wordAt(tokens, at));
    const offered = [...new Set([...likely[at], other[at]])].filter((id) => id !== ids[at]);
    others.replaceChildren(
      element("span", { class: "note" }, ...phrase("Position {at}: {token} →", { at: String(at), token: word }), " "),
      ...offered.map(here),
      ...(other[at] === ids[at] ? [] : [element("button", { type: "button", class: "save", onclick: () => take(at, ids[at]) }, t("as it was"))]),
      ...(offered.length ? [] : [element("span", { class: "note" }, t("Nothing stands before it by which the model could tell likely tokens; the second text can be typed."))]),
    );
    others.setAttribute("aria-label", t("Likely tokens for position {at}", { at }));
    others.hidden = false;
    others.querySelector("button")?.focus();
  }

  function close() {
    others.hidden = true;
    if (opened !== null) first.focus(opened);
    opened = null;
  }

  function take(at, id) {
    close();
    replace(at, id);
  }

  /** Shows both texts. ids, other: theirs; likely: of each position the likeliest tokens; text: the second as text. */
  function draw({ ids, other, likely, text, changed, question }) {
    const another = !shown || shown.ids !== ids;
    shown = { ids, other, likely };
    node.hidden = false;
    if (another) {
      others.hidden = true;
      opened = null;
      says.textContent = "";
    }
    const { tokens } = shownPrompt();
    const isChanged = (at) => changed.includes(at);
    first.draw(tokens.map((_, at) => wordAt(tokens, at)), isChanged, null);
    second.draw(other.map((id, at) => (isChanged(at) ? labelOf(id, tokens[at - 1]) : wordAt(tokens, at))), isChanged, question.position);
    if (document.activeElement !== box) box.value = text;
  }

  /** Says what is wrong with the text that is typed, if anything is; see the question "compare" of the worker. */
  function say({ lengths, unknown }) {
    const words = [];
    if (unknown.length) words.push(t("Not in its vocabulary, and so left out: {characters}.", { characters: [...new Set(unknown.map(({ character }) => character))].join(" ") }));
    if (lengths) words.push(t("The first text has {first} tokens, this one has {second}: the two must have as many.", { first: lengths[0], second: lengths[1] }));
    says.textContent = words.join(" ");
  }

  return { node, draw, say };
}

/** A text as a line of tokens, one of which the keyboard is at. */
function line(label, choose) {
  const tokens = element("div", { class: "swap-line", role: "group", "aria-label": t("{name}; arrow keys go from token to token", { name: label }), dir: "auto" });
  const node = element("div", {}, element("p", { class: "note" }, label), tokens);
  let at = 0;

  tokens.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (!button) return;
    stand(indexOf(button));
    choose(at);
  });
  tokens.addEventListener("keydown", (event) => {
    if (!(event.key in MOVES_ALONG)) return;
    event.preventDefault();
    focus(Math.max(0, Math.min(tokens.children.length - 1, at + MOVES_ALONG[event.key])));
  });
  const indexOf = (button) => Array.prototype.indexOf.call(tokens.children, button);

  function stand(index) {
    tokens.children[at]?.setAttribute("tabindex", -1);
    at = index;
    tokens.children[at].setAttribute("tabindex", 0);
  }

  function focus(index) {
    stand(index);
    tokens.children[index].focus();
  }

  /** Writes the tokens, marking those that are changed and the one that is asked about. */
  function draw(words, isChanged, asked) {
    if (tokens.children.length !== words.length) {
      tokens.replaceChildren(...words.map(() => element("button", { type: "button", tabindex: -1 }, element("bdi", {}, ""))));
      at = 0;
    }
    words.forEach((word, index) => {
      const button = tokens.children[index];
      if (button.textContent !== word) button.firstChild.textContent = word;
      button.classList.toggle("changed", isChanged(index));
      if (asked !== null) button.setAttribute("aria-pressed", index === asked);
    });
    if (asked !== null) keepInView(tokens, tokens.children[asked], { top: 0, left: 0 });
    stand(Math.min(at, words.length - 1));
  }

  return { node, draw, focus };
}
