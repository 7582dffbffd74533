// Exercise: an induction head out of two layers. The page runs them, and finds the place where they fail.

import { shade } from "../base/colour.js";
import { choice, element } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { phrase, t } from "../base/words.js";
import { generator } from "../live/sampling.js";
import { causal, hideFuture } from "./attention.js";
import { matrix } from "./matrix.js";
import { SYMBOLS, firstFailure, newSequence, readByTwoLayers, RIGHT, whatFollowed } from "./twolayers.js";

const TRIALS = 20; // sequences that must all come out right
const code = (text) => element("code", {}, text);

/** Fills an element; returns what draws it again. */
export function induction(host) {
  const random = generator(19);
  const choices = { first: "same", query: "token", key: "token", value: "token" };
  let tokens = newSequence(random);

  const looks = [["same", t("the same token, earlier")], ["first", t("the first position")], ["previous", t("the previous position")]];
  const slots = [["token", t("the place’s own token")], ["second", t("the second slot")]];
  const select = (name, label, options) => choice(label, options, (value) => {
    choices[name] = value;
    check();
  }).field;
  const places = tokens.map((_, place) => ({ token: element("b"), guess: element("span"), mark: element("span", { class: "tick" }) }));
  const strip = element("ol", { class: "sequence", "aria-label": t("The sequence, and under each place what the two layers expect next") },
    element("li", { class: "names", "aria-hidden": "true" }, t("token"), element("br"), t("expected next")),
    ...places.map(({ token, guess, mark }) => element("li", {}, token, guess, mark)));
  const looked = element("p", { class: "explained" });
  const maps = [t("layer 1 looks at"), t("layer 2 looks at")].map((title, at) =>
    matrix(title, { look: ({ row, column }) => look(at, row, column), write: null, colour: (weight) => shade(weight, 1, "absolute") }));
  const verdict = element("p", { class: "verdict", role: "status" });
  const another = element("button", { type: "button", class: "plain", onclick: () => {
    tokens = newSequence(random);
    check();
  } }, t("Another sequence"));
  host.append(
    element("p", {}, t("After a token that has been there before should come what followed it last time. Set both heads so that they find it.")),
    element("fieldset", {}, element("legend", {}, t("Layer 1")), element("div", { class: "choices" }, select("first", t("looks at"), looks)),
      element("p", { class: "note" }, t("and writes the token that it finds into the second slot of its place"))),
    element("fieldset", {}, element("legend", {}, t("Layer 2")), element("div", { class: "choices" },
      select("query", t("its query reads"), slots), select("key", t("its key reads"), slots), select("value", t("its value reads"), slots))),
    strip, verdict, element("div", { class: "side-by-side" }, ...maps.map(({ node }) => node)), looked, another,
  );
  host.querySelector("select").value = choices.first;

  function look(layer, query, key) {
    const weight = readByTwoLayers(tokens, choices)[["first", "second"][layer]][query][key];
    const values = { layer: layer + 1, query: code(named(query)), key: code(named(key)), weight: formatNumber(weight, 3) };
    looked.replaceChildren(...(causal(query, key) ? phrase("Layer {layer}: from {query} to {key} {weight}", values) : phrase("Layer {layer}: {key} is later than {query}, and masked", values)));
  }

  const named = (place) => `${SYMBOLS[tokens[place]]} (${place})`;

  /** Tries the sequence that is shown and then others; the first that fails is shown. */
  function check() {
    let failure = firstFailure(tokens, choices);
    for (let trial = 0; trial < TRIALS && failure === undefined; trial++) {
      const other = newSequence(random);
      failure = firstFailure(other, choices);
      if (failure !== undefined) tokens = other;
    }
    verdict.replaceChildren(...(failure === undefined ? solved() : failed(failure)));
    verdict.classList.toggle("right", failure === undefined);
    draw(failure);
  }

  const solved = () => phrase("Solved: right on this sequence and on {count} others. You have built an induction head: layer 1 tells each place what stood before it, layer 2 looks for the place that has your token there.", { count: `${TRIALS}` });

  function failed(place) {
    const { predictions } = readByTwoLayers(tokens, choices);
    const values = { token: code(named(place)), followed: code(SYMBOLS[whatFollowed(tokens)[place]]), guess: predictions[place] === null ? t("cannot decide") : code(SYMBOLS[predictions[place]]) };
    return [...phrase("Not yet. At {token}: last time {followed} followed; your heads say: {guess}.", values), " ", hint()];
  }

  function hint() {
    if (choices.first !== RIGHT.first) return t("Start with layer 1: what must a place know about its neighbour, so that others can find it?");
    if (choices.query !== RIGHT.query || choices.key !== RIGHT.key) return t("Layer 1 is right: each place now has in its second slot what stood before it. Which question of layer 2 finds a place that stood behind your token?");
    return t("Layer 2 looks at the right place. What should it bring from there?");
  }

  function draw(failure = firstFailure(tokens, choices)) {
    const { first, second, predictions } = readByTwoLayers(tokens, choices);
    const followed = whatFollowed(tokens);
    places.forEach(({ token, guess, mark }, place) => {
      token.textContent = SYMBOLS[tokens[place]];
      guess.textContent = predictions[place] === null ? "·" : SYMBOLS[predictions[place]];
      mark.textContent = followed[place] === null ? "" : followed[place] === predictions[place] ? "✓" : "✗";
      mark.classList.toggle("wrong", mark.textContent === "✗");
      token.parentNode.classList.toggle("fails", place === failure);
    });
    const names = tokens.map((token) => SYMBOLS[token]);
    [first, second].forEach((weights, at) => {
      maps[at].show(hideFuture(weights), names, names);
    });
  }

  check();
  return () => draw();
}
