// One head against many, attention against an LSTM: the curves of small runs, and what each fetched from far back.

import { element } from "../base/dom.js";
import { t } from "../base/words.js";
import { curves } from "./curves.js";
import { toggle } from "./field.js";

export function versus(host, { measured: { heads, lstm } }) {
  if (!heads || !lstm) return;
  const views = {
    copy: { text: t("heads: copying"), draw: copying },
    several: { text: t("heads: stories"), draw: headsOnStories },
    again: { text: t("LSTM: copying"), draw: sayingAgain },
    stories: { text: t("LSTM: stories"), draw: onStories },
  };
  const body = element("div", { class: "versus" });
  const says = element("p", { class: "says", "aria-live": "polite" });
  const choice = toggle(t("What is compared"), Object.entries(views).map(([name, { text }]) => [name, text]), "copy", show);
  host.append(element("h3", {}, t("Choose what to compare")), choice.node, body, says);

  function show(name) {
    const [parts, sentence] = views[name].draw();
    body.replaceChildren(...parts);
    says.textContent = sentence;
  }
  show("copy");

  function copying() {
    const names = { 1: t("one head"), 2: t("two heads"), 4: t("four heads") };
    const counts = ["4", "1", "2"].filter((count) => count in heads.copy);
    const lines = counts.map((count) => ({ name: names[count], values: heads.copy[count].curve }));
    const chart = curves({ title: t("Error of the copy"), steps: heads.copy[1].steps, lines });
    return [[chart], t("The task: copy a part of each of the last four tokens. One head has one set of weights, so it returns a mixture; four heads fetch from four places at once. All have {n} parameters.", { n: count(heads.copy[1].parameters) })];
  }

  function sayingAgain() {
    const { attention, LSTM } = lstm.again;
    const lines = [{ name: t("attention"), values: attention.curve }, { name: t("LSTM"), values: LSTM.curve }];
    const chart = curves({ title: t("Nats per token, said the second time"), steps: attention.steps, lines });
    return [[chart], t("Sixteen random tokens, then the same again; guessing costs {guess}. Attention looks back and copies; the LSTM has to have kept all sixteen in its state. It has as many parameters, and each runs at the best of three learning rates.", { guess: Math.log(64).toFixed(3) })];
  }

  function onStories() {
    const { attention, LSTM } = lstm.stories;
    const lines = [{ name: t("attention"), values: attention.curve }, { name: t("LSTM"), values: LSTM.curve }];
    const chart = curves({ title: t("Validation loss, nats per token"), steps: lstm.steps, lines });
    const words = t("The same stories, as many parameters ({a} and {b}), each at the best of its learning rates. A step took {c} and {d} ms of one core.", {
      a: count(attention.parameters), b: count(LSTM.parameters), c: milliseconds(attention), d: milliseconds(LSTM),
    });
    return [[chart, ...distances(attention.guessed, LSTM.guessed)], words];
  }

  function headsOnStories() {
    const { stories, steps } = heads;
    const lines = [{ name: t("one head"), values: stories[1].curve }, { name: t("four heads"), values: stories[4].curve }];
    const chart = curves({ title: t("Validation loss, nats per token"), steps, lines });
    return [[chart], t("More heads are narrower heads: with 64 channels one head compares in 64, each of four in 16. Which is better depends on the task.")];
  }
}

const count = (number) => number.toLocaleString("en");
const milliseconds = ({ seconds }) => (1000 * seconds).toFixed(0);

/** Bars: the share of the words a reader can know that are guessed, by how many words back they were said. */
function distances(attention, lstm) {
  const row = (distance) => element("tr", {},
    element("th", { scope: "row" }, distance.replace("-", "–")), cell(attention[distance], "own"), cell(lstm[distance], "other"));
  const head = [t("words back"), t("attention"), t("LSTM")].map((text) => element("th", { scope: "col" }, text));
  return [
    element("h4", {}, t("Words that the text before makes certain, guessed right")),
    element("table", { class: "far" }, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...Object.keys(attention).map(row))),
  ];
}

function cell(share, kind) {
  const bar = element("span", { class: `far-bar ${kind}`, "aria-hidden": "true" });
  bar.style.width = `${70 * share}%`;
  return element("td", {}, bar, element("span", { class: "number" }, `${(100 * share).toFixed(0)} %`));
}
