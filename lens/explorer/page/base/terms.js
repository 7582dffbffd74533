// The words of the field, explained where they stand: underlined with dots, and a line on hover, focus or tap.

import { kind } from "./data.js";
import { element } from "./dom.js";
import { t } from "./words.js";

/** Of each word its name in the language of the page and what it means, in the order of the glossary. */
const TERMS = {
  token: [t("token"), t("What the model reads and writes one of at a time: a word, a piece of one or a single character.")],
  layer: [t("layer"), t("One of the equal parts of the model, one after the other: attention, then an MLP.")],
  head: [t("head"), t("One of the parts of a layer’s attention: it decides for each position at which earlier ones it looks, and brings something from there.")],
  query: [t("query"), t("The position that looks, and the vector q by which it asks.")],
  key: [t("key"), t("A position that may be looked at, and the vector k by which it is found.")],
  stream: [t("stream"), t("The vector that each position carries through the model; every head and MLP reads from it and adds to it.")],
  embedding: [t("embedding"), t("The vector of a token with which its stream begins.")],
  norm: [t("norm"), t("Brings a vector to a standard size before a part of the model reads it.")],
  qkv: [t("qkv"), t("The matrices that make a position’s q, k and v from what it brings.")],
  rope: [t("rope"), t("How the model knows positions: q and k are rotated by an angle that grows with the position, so that scores depend on the distance.")],
  softmax: [t("softmax"), t("Makes scores into shares: all above 0, and together 1.")],
  proj: [t("proj"), t("The matrix that mixes the outputs of a layer’s heads into what is added to the stream.")],
  MLP: [t("MLP"), t("The part of a layer after its attention: it works on each position alone, a small network of its own.")],
  logit: [t("logit"), t("The score that the model gives a token to come next; the softmax of all of them are the probabilities.")],
  nat: [t("nat"), t("The unit of loss, of surprise: a token that was given the probability p costs −ln p nats; one of 37 % costs 1.")],
  rival: [t("rival"), t("The token other than the true one with the highest logit.")],
  sink: [t("sink"), t("A position, often the first, that takes the attention for which there is no use: a row has to add up to 1.")],
  "self-repair": [t("self-repair"), t("Later heads make up for one that is missing, so that less is lost than it gave.")],
  "previous-token head": [t("previous-token head"), t("Looks at the position just before. One of these in an early layer tells each position what came before it, which an induction head needs to know.")],
  "duplicate-token head": [t("duplicate-token head"), t("Looks at the earlier occurrence of the same token.")],
  "induction head": [t("induction head"), t("Looks at what followed the same token last time, and so can continue a sequence that occurred before (Olsson et al. 2022). The name says where it looks; whether it makes that token likelier, its attribution says.")],
  "logit lens": [t("logit lens"), t("The model’s final norm and head, applied after an earlier layer. It shows what can already be read off in that way, which is less than what is there.")],
  "direct logit attribution": [t("direct logit attribution"), t("What one part adds by itself to the logit of one token over another’s (Elhage et al. 2021); the parts add up to the whole difference. What a part does through later parts is counted as theirs.")],
  ablation: [t("ablation"), t("The loss with one part’s output set to zero, minus the loss. The model never met such a zero in training, so this is the effect of an absence, not a share of the prediction.")],
  "activation patching": [t("activation patching"), t("Reading one text with what another has at one place of the model put into the same place: how much of the difference between their predictions comes with it? Two places may each be enough, or be needed together, so the shares do not add up to 1.")],
};

// Those of a whole model, of which a page of worked examples shows nothing.
const OF_MODELS = ["layer", "stream", "embedding", "norm", "rope", "MLP", "logit", "nat", "rival", "self-repair", "logit lens",
  "direct logit attribution", "ablation", "activation patching"];

const EDGE = 8; // pixels that the line stays away from the edges of the window
const tip = element("div", { id: "tip", role: "tooltip", hidden: "" });

/** A text that explains itself: `says` stands beside it while it is pointed at or has the focus. */
export function explained(text, says) {
  return element("dfn", { tabindex: 0, "aria-describedby": "tip", "data-says": says }, text);
}

/** A word of TERMS, as `text` where that is another form of it. */
export function term(name, text) {
  const [own, says] = TERMS[name];
  return explained(text ?? own, says);
}

/** Has all words of the page explained, those of its own text too (<dfn data-term>), and lists them in `glossary`, with their English. */
export function terms(glossary) {
  for (const word of document.querySelectorAll("dfn[data-term]")) word.replaceWith(term(word.dataset.term, word.textContent));
  const listed = Object.entries(TERMS).filter(([name]) => kind !== "examples" || !OF_MODELS.includes(name));
  const named = (name, own) => (own === name ? name : `${own} (${name})`);
  glossary.append(...listed.flatMap(([name, [own, says]]) => [element("dt", {}, named(name, own)), element("dd", {}, says)]));
  document.body.append(tip);
  const wordOf = ({ target }) => (target instanceof Element ? target.closest("dfn") : null);
  document.addEventListener("focusin", (event) => show(wordOf(event)));
  document.addEventListener("pointerover", (event) => show(wordOf(event) ?? wordOf({ target: document.activeElement })));
  document.addEventListener("focusout", () => show(null));
  document.addEventListener("keydown", ({ key }) => key === "Escape" && show(null));
  addEventListener("scroll", () => show(null), { passive: true });
}

function show(word) {
  tip.hidden = !word;
  if (!word) return;
  tip.textContent = word.dataset.says;
  const [{ left, top, bottom }, { width, height }] = [word.getBoundingClientRect(), tip.getBoundingClientRect()];
  const below = bottom + EDGE + height < innerHeight;
  tip.style.left = `${Math.max(EDGE, Math.min(left, innerWidth - width - EDGE))}px`;
  tip.style.top = `${below ? bottom + EDGE / 2 : top - height - EDGE / 2}px`;
}
