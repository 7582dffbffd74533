// Two texts that differ in a token: which places of the model carry the difference into what comes next? The second text is
// read again with what the first has at one place put in, and each cell says how much of the difference comes back.

import { chip, labelOf } from "../base/cells.js";
import { theme } from "../base/colour.js";
import { page } from "../base/data.js";
import { element } from "../base/dom.js";
import { short, wordAt } from "../base/label.js";
import { brief } from "../base/number.js";
import { whenVisible } from "../base/onscreen.js";
import { change, nearest, shownNames, shownPrompt, shownStep, state, switchedOff } from "../base/state.js";
import { offer } from "../base/tabs.js";
import { phrase, t } from "../base/words.js";
import { ask, isRunning } from "../live/client.js";
import { silenced } from "../live/own.js";
import { changesIn, positionIn, swapped, written } from "./changes.js";
import { shares, sharesLegend } from "./shares.js";
import { twoTexts } from "./texts.js";

const REST = 200; // milliseconds for which a text or a step stands still before it is worked on
const MAX_ROWS = 64; // of the stream's map; of more positions neighbours share a row
const LEAST = 1e-6; // logits by which the texts must differ for a share of it to mean anything

export function swap(host) {
  const texts = twoTexts({ replace, ask: (position) => go(now.changes, position), type });
  const question = element("div", { role: "status" });
  const stream = shares(t("How much comes back by the stream, position by depth; arrow keys move, Enter stays there"), { look: sayStream, choose: ({ row }) => change({ query: now.groups[row].first }) });
  const parts = shares(t("How much comes back by a head or an MLP; arrow keys move, Enter chooses a head"), { look: sayPart, choose: choosePart });
  const ofStream = element("output", { class: "reading" });
  const ofPart = element("output", { class: "reading" });
  const wheres = [true, false].map((all) => element("button", { type: "button", onclick: () => putIn(all) }));
  const legend = sharesLegend();
  const maps = element("div", { class: "both" },
    element("figure", {}, element("figcaption", {}, element("b", {}, t("The stream")), " ", t("at a position, after a layer")), stream.node, ofStream),
    element("figure", {}, element("figcaption", {}, element("b", {}, t("Heads and MLPs")), " ", t("what one of them adds, at")),
      element("div", { class: "toggle", role: "group", "aria-label": t("Where it is put in") }, ...wheres), parts.node, ofPart, legend.node));
  host.append(texts.node, question, maps);

  let now = null; // what is worked on, and what the worker has answered of it
  let everywhere = true; // whether a part is put in at all positions at once
  let round = 0; // of questions; the worker gives up those of an earlier one
  let turn = 0; // of the questions about parts
  const examples = new Map(); // by text and step, the changes of each
  blank();

  const go = (changes, position) => change({ swap: written(now.ids, changes, position) });

  function replace(at, to) {
    go([...now.changes.filter((one) => one.at !== at), { at, to }], null);
  }

  /** Takes a second text as it is typed, if it has as many tokens as the first. */
  async function type(text) {
    const { ids, from, step, silence } = now;
    const own = ++round;
    const answer = await ask("compare", { ids, from, text, position: null, most: MAX_ROWS, step, silence, round: own });
    if (own !== round || !answer) return;
    texts.say(answer);
    blank();
    if (!answer.lengths) go(answer.ids.map((to, at) => ({ at, to })), null);
    worked = "";
  }

  function blank(words = "") {
    maps.hidden = true;
    question.replaceChildren(words);
  }

  /** The changes that the address tells, or else an example. */
  async function changesOf({ ids, key, step, silence }, own) {
    const told = changesIn(state.swap, ids, page.live.config.vocab_size);
    if (told) return told;
    if (!examples.has(key)) {
      blank(t("Looking for a token that matters far on …"));
      const example = await ask("example", { ids, step, silence, round: own });
      if (example) examples.set(key, example.changes);
    }
    return examples.get(key);
  }

  async function work() {
    const own = ++round;
    const { id, from = 0, ids: whole } = shownPrompt();
    const [ids, step, silence] = [whole.slice(from), nearest(page.live.steps, shownStep().step), silenced(state)];
    const changes = await changesOf({ ids, key: `${id} ${step} ${switchedOff(state)}`, step, silence }, own);
    if (own !== round) return;
    if (!changes) return void (worked = ""); // given up for what the reader has typed or switched off meanwhile
    const asked = { ids, other: swapped(ids, changes), step, silence };
    const answer = await ask("compare", { ...asked, from, position: positionIn(state.swap, ids), most: MAX_ROWS, round: own });
    if (own !== round) return;
    if (!answer) return void (worked = "");
    now = { ...answer, ...asked, from, changes, asked };
    const isAsked = now.changed.length > 0 && between(0) - between(1) > LEAST;
    texts.draw(now);
    question.replaceChildren(...(isAsked ? askedOf(now) : [noneOf(now)]), ...otherStep(step));
    maps.hidden = !isAsked;
    if (!isAsked) return;
    build();
    putIn(everywhere);
    await ask("stream", { ...asked, about: now.question, groups: now.groups, round: own }, ({ group, row }) => {
      if (own !== round) return;
      now.stream[group] = row;
      stream.set(group, sharesOf(row));
    });
  }

  /** The logit of `target` minus that of `against`, in the first text (0) or in the second (1). */
  const between = (text) => now.both[text][0] - now.both[text][1];
  const shareOf = ([target, against]) => (target - against - between(1)) / (between(0) - between(1));

  /** Of pairs of logits, one after another. */
  const sharesOf = (row) => pairsOf(row).map(shareOf);

  function build() {
    const { layers, heads } = shownPrompt();
    const depths = Array.from({ length: layers }, (_, layer) => t("layer {layer}", { layer }));
    const names = Array.from({ length: heads }, (_, head) => t("head {head}", { head }));
    Object.assign(now, { stream: [], parts: [] });
    stream.build(now.groups.map((group) => rowName(group, now)), [t("embedding"), ...depths]);
    parts.build(depths, [...names, t("MLP")]);
    const words = [t("all positions"), t("position {position}", now.question)];
    wheres.forEach((button, index) => (button.textContent = words[index]));
  }

  /** Puts in each head's answer and each MLP's, at all positions at once or at the one that is asked about. */
  async function putIn(all) {
    everywhere = all;
    wheres.forEach((button, index) => button.setAttribute("aria-pressed", all === (index === 0)));
    const [own, mine] = [round, ++turn];
    const { position } = now.question;
    const positions = all ? { first: now.groups[0].first, last: now.groups.at(-1).last } : { first: position, last: position };
    now.parts = [];
    parts.clear();
    await ask("parts", { ...now.asked, about: now.question, positions, round: own }, ({ layer, row }) => {
      if (own !== round || mine !== turn) return;
      now.parts[layer] = row;
      parts.set(layer, sharesOf(row));
    });
  }

  function choosePart({ row, column }) {
    if (column < shownPrompt().heads) change({ layer: row, head: column });
  }

  function sayStream(place) {
    const row = place && now.stream[place.row];
    ofStream.replaceChildren(...(row ? sayCell(pairsOf(row)[place.column], t("With the stream of the first text there:")) : [HINT]));
  }

  function sayPart(place) {
    const row = place && now.parts[place.row];
    ofPart.replaceChildren(...(row ? sayCell(pairsOf(row)[place.column], t("With what it adds in the first text:")) : [HINT]));
  }

  /** The numbers behind a cell: both logits in the second text, before and after. */
  function sayCell(after, words) {
    const { question: { target, against }, both: [, before] } = now;
    const moved = [target, against].flatMap((id, index) => [" ", tokenAfter(now, id), ` ${brief(before[index])} → ${brief(after[index])}`]);
    return [words, ...moved, ` · ${t("difference {before} → {after}, in the first text {first}: {share} comes back.", {
      before: brief(between(1)), after: brief(after[0] - after[1]), first: brief(between(0)), share: shareOf(after).toFixed(2),
    })}`];
  }

  let worked = ""; // the view that is worked on
  let painted = "";
  let resting = null;

  const draw = whenVisible(host, () => {
    if (painted !== theme()) {
      painted = theme();
      for (const one of [stream, parts]) one.repaint();
      legend.draw();
    }
    const view = `${shownNames()} ${state.step} ${switchedOff(state)}`;
    if (worked === `${view} ${state.swap}`) return;
    const rest = worked.startsWith(view) ? 0 : REST;
    worked = `${view} ${state.swap}`;
    clearTimeout(resting);
    resting = setTimeout(work, rest);
  });

  return () => {
    const there = isRunning() && page.live !== null && shownPrompt().ids.length > 0 && document.documentElement.hasAttribute("data-live");
    offer(host, there);
    if (there) draw();
  };
}

const HINT = t("Point at a cell to read its numbers.");

const pairsOf = (row) => Array.from({ length: row.length / 2 }, (_, index) => row.slice(2 * index, 2 * index + 2));

/** A row's positions, with the tokens that stand there in the one text and in the other. */
function rowName({ first, last }, { changed, other }) {
  const { tokens } = shownPrompt();
  const at = changed.find((one) => one >= first && one <= last);
  const words = [element("span", { class: "position" }, first === last ? String(first) : `${first}–${last}`), element("bdi", {}, wordAt(tokens, at ?? first))];
  return at === undefined ? words : [...words, " → ", element("bdi", {}, labelOf(other[at], tokens[at - 1]))];
}

/** A token as it comes after the position that is asked about. */
const tokenAfter = ({ question: { position }, other }, id) => chip(labelOf(id, page.labels[other[position]]));

/** What is asked, and what the texts answer. */
function askedOf(asked) {
  const { question: { position, target, against }, probabilities, both, other } = asked;
  const names = [t("the first text"), t("the second")];
  const row = (name, index) => element("tr", {}, element("th", { scope: "row" }, name),
    ...[0, 1].map((one) => element("td", {}, short(probabilities[index][one]))),
    element("td", {}, `${brief(both[index][0])} − ${brief(both[index][1])} = ${brief(both[index][0] - both[index][1])}`));
  const token = (id) => tokenAfter(asked, id);
  return [
    element("p", {}, ...phrase("What comes after position {position}, {here}: {target} or {against}?", {
      position: String(position), here: chip(labelOf(other[position], page.labels[other[position - 1]])), target: token(target), against: token(against),
    })),
    element("table", { class: "swap-answers" },
      element("thead", {}, element("tr", {}, element("td"), ...[target, against].map((id) => element("th", { scope: "col" }, ...phrase("probability of {token}", { token: token(id) }))), element("th", { scope: "col" }, t("difference of the logits")))),
      element("tbody", {}, ...names.map(row))),
  ];
}

/** Says which step the weights are of, where it is another than the one that is shown. */
function otherStep(index) {
  const [{ step }, shown] = [page.live.steps[index], shownStep().step];
  if (step === shown) return [];
  const values = { shown: shown.toLocaleString("en"), step: step.toLocaleString("en") };
  return [element("p", { class: "note" }, t("The page carries no weights of step {shown}: this is the model of step {step}.", values))];
}

function noneOf({ changed, question: { position } }) {
  const words = changed.length
    ? t("What comes after position {position} is the same in both texts, so there is no difference that could come back. Choose a later token of the second text.", { position })
    : t("The two texts are the same: there is no difference that could come back. Choose a token of the first text to change it.");
  return element("p", {}, words);
}
