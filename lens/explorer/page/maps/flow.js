// Tokens as the text that they are: spaces stand between the words, and what does not begin a word is marked.

import { element } from "../base/dom.js";
import { goesOn, word } from "../base/label.js";
import { t } from "../base/words.js";

const MAX_TOKENS = 512; // in one text: of more, those around the chosen one
const MOVES = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: "up", ArrowDown: "down", Home: -Infinity, End: Infinity };

const SPECIAL = /^<\|.*\|>$/s; // no text of its own, such as <|endoftext|>

/** What stands before a token and after it: its spaces, a place where the line may end, the end of a line. */
function around(token, spaces) {
  const before = spaces ? (token.startsWith(" ") ? [element("wbr")] : []) : token.trim() ? token.match(/^ */) : [];
  return [before, token.endsWith("\n") ? ["\n"] : SPECIAL.test(token) ? [" "] : []];
}

/** The first letter says in which direction a text is read. */
const directionOf = (tokens) => (/^[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u.test(tokens.join("").match(/\p{L}/u)?.[0] ?? "") ? "rtl" : "ltr");

/**
 * A text of tokens. `choose(index)` is called where one is chosen, `point(index)` where the pointer is on one, `point(null)`
 * where it has left. `items` are the tokens shown, from number `first` on; `continued` says whether one goes on with a word.
 */
export function flow(name, tokens, generatedFrom, { choose, point }) {
  const direction = directionOf(tokens);
  const label = name ? t("{name}; arrow keys choose", { name }) : t("Tokens of the prompt; arrow keys choose");
  const text = element("div", { class: "flow", role: "listbox", "aria-label": label, "aria-orientation": "horizontal", dir: direction });
  const part = element("p", { class: "note" });
  const node = element("div", { class: "line" }, ...(name ? [element("h3", {}, name)] : []), text, part);
  const continued = tokens.some((token, index) => index > 0 && goesOn(tokens[index - 1], token));
  const one = { node, tokens, continued, items: [], first: null };
  let chosen = 0;
  let shown = "";

  const indexOf = (target) => {
    const place = one.items.indexOf(target.closest("[role=option]"));
    return place < 0 ? null : one.first + place;
  };
  text.addEventListener("click", ({ target }) => indexOf(target) !== null && choose(indexOf(target)));
  let pointed = null;
  const pointAt = (index) => index !== pointed && point(pointed = index);
  // not where the text has moved under a pointer that rests
  text.addEventListener("pointermove", ({ target }) => indexOf(target) !== null && pointAt(indexOf(target)));
  text.addEventListener("pointerleave", () => pointAt(null));
  text.addEventListener("keydown", async (event) => {
    const move = MOVES[event.key];
    if (move === undefined) return;
    event.preventDefault();
    pointAt(null);
    const across = direction === "rtl" && event.key.match(/Left|Right/) ? -move : move;
    await choose(typeof move === "string" ? nextLine(move) : Math.max(0, Math.min(tokens.length - 1, chosen + across)));
    one.items[chosen - one.first]?.focus();
  });

  /** The token nearest to the chosen one in the line of text above or below it; where there is none, the chosen one. */
  function nextLine(way) {
    const boxes = one.items.map((item) => item.getClientRects()[0]);
    const own = boxes[chosen - one.first];
    const away = (box) => (way === "up" ? own.top - box.top : box.top - own.top);
    const next = Math.min(...boxes.map(away).filter((distance) => distance > own.height / 2));
    const aside = (box) => (Math.abs(away(box) - next) < own.height / 2 ? Math.abs(box.left + box.right - own.left - own.right) : Infinity);
    const nearest = boxes.reduce((best, box, index) => (aside(box) < aside(boxes[best]) ? index : best), chosen - one.first);
    return one.first + nearest;
  }

  function build(spaces) {
    const here = tokens.slice(one.first, one.first + MAX_TOKENS);
    part.textContent = here.length < tokens.length
      ? t("Tokens {first} to {last} of {count}.", { first: one.first, last: one.first + here.length - 1, count: tokens.length })
      : "";
    one.items = here.map((token, offset) => {
      const index = one.first + offset;
      const item = element("span", { role: "option", tabindex: -1, "aria-selected": false, "data-at": index }, token === " " && !spaces ? " " : word(token));
      item.classList.toggle("goes-on", offset > 0 && goesOn(here[offset - 1], token));
      item.classList.toggle("special", SPECIAL.test(token));
      item.classList.toggle("generated", index >= (generatedFrom ?? Infinity));
      return item;
    });
    text.replaceChildren(...one.items.flatMap((item, offset) => {
      const [before, after] = around(here[offset], spaces);
      return [...before, item, ...after];
    }));
  }

  /** Lays the text out around the chosen token; whether anything now stands elsewhere. */
  one.show = (index, spaces) => {
    const step = MAX_TOKENS / 2;
    const first = Math.max(0, Math.min(tokens.length - MAX_TOKENS, Math.floor(index / step) * step - step / 2));
    const moved = shown !== `${first} ${spaces}`;
    shown = `${first} ${spaces}`;
    one.first = first;
    if (moved) build(spaces);
    for (const [place, value] of [[chosen, false], [index, true]]) {
      one.items[place - first]?.setAttribute("aria-selected", value);
      one.items[place - first]?.setAttribute("tabindex", value ? 0 : -1);
    }
    chosen = index;
    return moved;
  };
  return one;
}
