// The story of a run in a few cards: a first way through the page. Each sets the view and points at one thing in it.

import { name, page } from "../base/data.js";
import { element } from "../base/dom.js";
import { change, onChange, state } from "../base/state.js";
import { t } from "../base/words.js";
import { isOwn } from "../live/own.js";
import { cardsOf } from "./cards.js";
import { findings } from "./findings.js";
import { pointer } from "./pointer.js";

const MIN_CARDS = 3; // fewer are no story
const MAX_FRAMES = 30; // to wait for what a card points at
const PARTS = ["prompt", "step", "layer", "head", "query", "view"]; // of a view: another one is no longer the card's
const asked = location.hash.length > 1 || page.prompts.some(({ own }) => own); // for a view, or for prompts of one's own
const memory = `glassgpt story of ${name}`;
const viewNow = () => PARTS.map((part) => state[part]).join(" ");

/** Builds the story, its button in `opening`; opens it for those who have not seen it and have not asked for something else, nor gone elsewhere. */
export async function story(host, opening) {
  const before = viewNow();
  const facts = await findings();
  const cards = facts ? cardsOf(facts) : []; // their titles; their texts are made anew: tokens may be shown in another way
  if (cards.length < MIN_CARDS) return;
  const ring = pointer();
  let at = null; // the card that is shown; null: closed
  let shown = ""; // the view that it has set

  const opener = element("button", { type: "button", class: "story-open", onclick: () => go(0) }, t("▶ The story of this model, in {count} cards", { count: cards.length }));
  const count = element("p", { class: "story-count" }, "");
  const [title, text] = [element("h2"), element("p")];
  const card = element("div", { class: "story-card", role: "group", tabindex: -1, "aria-live": "polite" }, count, title, text);
  const dots = cards.map((one, index) => element("button", { type: "button", class: "story-dot", "aria-label": t("Card {number}: {title}", { number: index + 1, title: one.title }), onclick: () => go(index) }));
  const back = element("button", { type: "button", class: "story-back", onclick: () => go(at - 1) }, t("Back"));
  const next = element("button", { type: "button", class: "story-next", onclick: () => (at === cards.length - 1 ? close() : go(at + 1)) }, "");
  const closing = element("button", { type: "button", class: "story-close", "aria-label": t("Close the story"), onclick: () => close() }, "×");
  const panel = element("div", { class: "story-panel" }, card, closing, element("div", { class: "story-way" }, back, element("div", { class: "story-dots" }, ...dots), next));
  opening.append(opener);
  host.append(panel);
  host.addEventListener("keydown", (event) => {
    if (at === null) return;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1 }[event.key];
    if (event.key === "Escape") close();
    else if (to === undefined) return;
    else if (to in cards) go(to);
    event.preventDefault();
  });
  onChange(() => {
    if (at === null) return;
    if (isOwn(state.prompt)) close(false); // the reader types
    else if (shown && shown !== viewNow()) leave(); // has gone elsewhere
  });

  /** Shows a card; its view first, then what it points at. `quietly`: the page stays where it is, as does the focus. */
  async function go(index, quietly = false) {
    const opened = at === null;
    at = index;
    const one = cardsOf(facts)[index];
    count.textContent = t("{number} of {count}", { number: index + 1, count: cards.length });
    title.textContent = one.title;
    text.replaceChildren(...one.text);
    dots.forEach((dot, number) => dot.setAttribute("aria-current", number === index ? "step" : "false"));
    back.disabled = index === 0;
    next.textContent = index === cards.length - 1 ? t("Look around") : t("Next");
    arrange();
    ring.hide();
    shown = "";
    if (index === cards.length - 1) remember();
    await change({ ...one.view, card: String(index + 1) });
    if (at !== index) return; // gone on meanwhile
    shown = viewNow();
    if (!quietly) await drawn(one);
    if (at !== index) return;
    ring.show(one.target, one.says, quietly ? null : parseFloat(getComputedStyle(host).top) + panel.offsetHeight); // where the card sticks
    if (opened && !quietly) card.focus({ preventScroll: true });
  }

  /** The view is no longer the card's, and the address does not say so either. */
  function leave() {
    ring.hide();
    state.card = "";
  }

  function close(andFocus = true) {
    at = null;
    leave();
    remember();
    arrange();
    if (!andFocus) return;
    change({}); // for the address
    opener.focus({ preventScroll: true });
  }

  function arrange() {
    opener.hidden = at !== null;
    host.hidden = at === null;
    measure();
  }

  /** What stands beside the large view stays below the card, as it does below the header. */
  function measure() {
    document.documentElement.style.setProperty("--card", `${panel.offsetHeight}px`);
  }
  new ResizeObserver(measure).observe(panel);

  arrange();
  const addressed = Number(state.card) - 1;
  if (addressed in cards) await go(addressed, true);
  else if (!asked && !seen() && before === viewNow()) await go(0, true);
}

/** Until a card's target is there: what is far off the screen is drawn only when it comes near. */
async function drawn({ target, within }) {
  await frame();
  const place = within && document.querySelector(within);
  if (place?.hasAttribute("aria-busy")) place.scrollIntoView({ block: "center" });
  for (let waited = 0; waited < MAX_FRAMES && (place?.hasAttribute("aria-busy") || !document.querySelector(target)); waited++) await frame();
}

const frame = () => new Promise((done) => requestAnimationFrame(done));

function seen() {
  try {
    return localStorage.getItem(memory) !== null;
  } catch {
    return false; // a frame that may remember nothing
  }
}

function remember() {
  try {
    localStorage.setItem(memory, "seen");
  } catch {
    // It opens again the next time.
  }
}
