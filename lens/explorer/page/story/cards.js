// The cards of a run's story: what each says, the view that it sets, and the one thing that it points at.

import { chip, decimals } from "../base/cells.js";
import { page } from "../base/data.js";
import { element } from "../base/dom.js";
import { short, word, wordAt } from "../base/label.js";
import { MEASURES } from "../base/measures.js";
import { brief } from "../base/number.js";
import { nameOf } from "../base/pins.js";
import { t } from "../base/words.js";
import { scoreAt } from "./findings.js";

const LOOKS = { // where a pattern has a head look
  previous_token: t("the token just before"),
  duplicate_token: t("the same token, where it last stood"),
  induction: t("what followed the same token last time"),
  first_token: t("the very first token"),
};
const MEANINGS = { // what a token can do with it, where it looks there
  previous_token: t("So {query} can carry along what stood before it."),
  duplicate_token: t("So {query} can know that it stood here before."),
  first_token: t("Often a head looks there when it has nothing to fetch."),
};
const TITLES = {
  previous_token: (step) => t("Step {step}: a head looks one token back", { step }),
  duplicate_token: (step) => t("Step {step}: a head finds the same token again", { step }),
  induction: (step) => t("Step {step}: a head finds what came next last time", { step }),
  first_token: (step) => t("Step {step}: a head rests on the first token", { step }),
};
const MATTERS = 0.1; // nats of loss from which on a change is spoken of
const GREAT = 1; // and from which on it is great

/** A sentence with its values in bold, tokens as they are shown: nodes. */
function say(text, values = {}) {
  return text.split(/\{(\w+)\}/).map((part, index) => (index % 2 ? bold(values[part]) : part)).concat(" ");
}

const bold = (value) => (value instanceof Node ? value : element("b", {}, value));
const step = (facts, index) => facts.prompt.steps[index].step.toLocaleString("en");
const token = ({ prompt }, at) => chip(wordAt(prompt.tokens, at));
const guess = ({ prompt, query }, id) => chip(word(page.labels[id], prompt.tokens[query]));
const probability = (value) => (value < 0.0005 ? t("under .001") : decimals(value));
const nextProbability = ({ prompt, query }, effects) => effects["lens.next"].at(prompt.layers, query);

/** What every view of the story has in common. */
const view = ({ number, last, hero, query }, changes) => ({
  ...{ prompt: number, step: last, layer: hero.layer, head: hero.head, query, view: "text", direction: "from", scale: "absolute" },
  ...{ pins: [], off: "" }, ...changes,
});

/** The element of a token in the text, or of a head's cell among the parts that matter. */
const tokenAt = (at) => `#text [data-at="${at}"]`;
const partAt = (figure, { layer, head }) => `#parts figure:nth-of-type(${figure}) tbody tr:nth-child(${layer + 1}) td:nth-child(${head + 2})`;

/** The cards {title, text, view, target, within, says}, as many as there is something to say. */
export function cardsOf(facts) {
  const several = facts.prompt.steps.length > 1;
  return [
    opening(facts),
    ...(several ? [beginning(facts)] : []),
    ...(facts.formed.length ? facts.formed.map((one, index) => formation(facts, one, index)) : facts.closest ? [nothingFormed(facts)] : []),
    ...(areLinked(facts) ? [link(facts)] : []),
    ...(facts.effects ? [attribution(facts)] : []),
    ...(facts.effects?.ablation ? [ablation(facts)] : []),
  ];
}

function opening(facts) {
  const { prompt, query, effects, hero, key } = facts;
  const [here, next] = [token(facts, query), token(facts, query + 1)];
  const again = hero.pattern === "induction" && prompt.tokens[key] === prompt.tokens[query + 1];
  return {
    title: t("It reads, and guesses what comes next"),
    text: [
      say(t("{run} reads this text ({prompt}) token by token; a token is a word, a piece of one or a character. After each it guesses the next."),
        { run: page.run, prompt: prompt.name }),
      say(t("Take {here}: the text goes on with {next}."), { here, next }),
      ...(again ? [say(t("The same pair occurred {count} tokens earlier."), { count: prompt.repeat.period })] : []),
      ...(effects ? [say(t("The trained model gives {next} a probability of {share}."), { next: next.cloneNode(true), share: probability(nextProbability(facts, effects)) })] : []),
    ].flat(),
    view: view(facts, {}),
    target: tokenAt(query),
    says: t("What comes after this?"),
  };
}

function beginning(facts) {
  const { prompt, hero, before, query } = facts;
  const [at, name] = [step(facts, 0), nameOf(hero)];
  const untrained = prompt.steps[0].step === 0 && !/^\s+init: (?!null)/m.test(page.config);
  const patterns = Object.entries(page.thresholds).some(([name, threshold]) => prompt.steps[0].metrics.flat().some((one) => one[name] >= threshold));
  return {
    title: !untrained ? t("Step {step}: where this training began", { step: at }) : patterns ? t("Untrained") : t("Untrained: no pattern yet"),
    text: [
      ...(untrained ? [t("This is the same model before it learned anything. ")] : []),
      say(prompt.causal ? t("A head looks back from each token and shares out its attention, 1 in all, over the tokens so far.")
        : t("A head looks from each token at all of them and shares out its attention, 1 in all.")),
      say(t("Head {name} at {here}: the largest share is {max}; spread evenly over {count} tokens, each would get {even}."),
        { name, here: token(facts, query), max: short(before.max), count: before.count, even: short(1 / before.count) }),
      ...(before.effects ? [say(t("The guess: {guess}, with a probability of {share}. The true next token gets {own}."), {
        guess: guess(facts, before.effects["top.ids"].at(query, 0)), share: probability(before.effects["top.probabilities"].at(query, 0)),
        own: probability(nextProbability(facts, before.effects)),
      })] : []),
    ].flat(),
    view: view(facts, { step: 0, view: "map" }),
    target: "#map .field",
    says: t("Each row is a token that looks back, each column one that it may look at"),
  };
}

function formation(facts, one, index) {
  const { prompt } = facts;
  const name = nameOf(one);
  const score = short(scoreAt(prompt, one.first, one));
  const sure = one.weight >= page.thresholds[one.pattern];
  const { label } = MEASURES.find((measure) => measure.name === one.pattern);
  return {
    title: TITLES[one.pattern](step(facts, one.first)),
    text: [
      ...(one.weight === null ? [] : [say(t("At {query} head {name} now gives {weight} of its attention to {key}."),
        { name, query: token(facts, one.query), weight: short(one.weight), key: token(facts, one.key) })]),
      onAverage(facts, one, { score, where: LOOKS[one.pattern] }),
      ...(index ? [say(t("Its badge here: {label}."), { label })]
        : [say(t("From {threshold} on it has a badge here: {label}."), { threshold: short(page.thresholds[one.pattern]), label })]),
      ...(sure && one.pattern in MEANINGS ? [say(MEANINGS[one.pattern], { query: token(facts, one.query) })] : []),
    ].flat(),
    view: view(facts, { step: one.first, layer: one.layer, head: one.head, query: one.query, key: one.key ?? undefined }),
    target: tokenAt(one.key ?? one.query),
    says: t("Head {name} looks here", { name }),
  };
}

/** What the measure of a formed head is, and what it was at the step before. */
function onAverage({ prompt }, one, values) {
  if (prompt.steps.length === 1) return say(t("On average {score} goes to {where}; this is the only step that was recorded."), values);
  if (one.first === 0) return say(t("On average {score} goes to {where}; this is the first step that was recorded."), values);
  const before = scoreAt(prompt, one.first - 1, one);
  if (before === undefined) return say(t("On average {score} goes to {where}; before it was not measured."), values);
  const earlier = { step: prompt.steps[one.first - 1].step.toLocaleString("en"), before: short(before) };
  return say(t("On average {score} goes to {where}; at step {step} it was {before}."), { ...values, ...earlier });
}

/** Whether there is an induction head above a previous-token head, and numbers that say if it builds upon it. */
const areLinked = ({ formed: [below, finder], effects }) => Boolean(effects?.ablation)
  && below?.pattern === "previous_token" && finder?.pattern === "induction" && below.layer < finder.layer;

function link(facts) {
  const { formed: [below], effects, query } = facts;
  const name = nameOf(below);
  const change = effects.ablation.at(query, below.layer, below.head);
  const values = { name, next: token(facts, query + 1), share: probability(nextProbability(facts, effects)), after: probability(Math.exp(-effects.loss.at(query) - change)) };
  return {
    title: change >= GREAT ? t("It needs head {name}", { name }) : t("Does it need head {name}?", { name }),
    text: [
      say(t("To find it, a head has to know which token came before each: head {name}, in an earlier layer, looks just there."), { name }),
      change >= GREAT ? say(t("In the trained model, without head {name} the guess fails: the probability of {next} falls from {share} to {after}."), values)
        : say(t("Whether it builds on that, these numbers do not show: in the trained model, without head {name}, {next} gets {after}."), values),
    ].flat(),
    view: view(facts, { layer: below.layer, head: below.head, query: below.query, key: below.key }),
    target: tokenAt(below.query),
    says: t("This token knows what came before it"),
  };
}

function nothingFormed(facts) {
  const { closest } = facts;
  const { label } = MEASURES.find(({ name }) => name === closest.pattern);
  return {
    title: t("No head has formed a pattern"),
    text: [
      say(t("This page looks for four: heads that look one token back, at the first token, at the same token, or at what followed it.")),
      say(t("None reaches {threshold} here."), { threshold: short(page.thresholds[closest.pattern]) }),
      say(t("The closest is head {name}: on average {score} of its attention goes to {where} ({label})."),
        { name: nameOf(closest), score: short(closest.score), where: LOOKS[closest.pattern], label }),
      say(t("A longer training may form one; a head can also do something that no measure here looks for.")),
    ].flat(),
    view: view(facts, { layer: closest.layer, head: closest.head, view: "map" }),
    target: "#map .field",
    says: t("Head {name}, the closest", { name: nameOf(closest) }),
  };
}

function attribution(facts) {
  const { query, hero, effects } = facts;
  const of = (name) => effects[`attribution.${name}`].at(query);
  const [target, rival] = [guess(facts, of("target")), guess(facts, of("against"))];
  const own = effects["attribution.parts"].at(query, hero.layer, hero.head);
  const total = of("parts").reduce((sum, value) => sum + value, of("embedding") + of("bias"));
  const name = nameOf(hero);
  return {
    title: t("What head {name} writes", { name }),
    text: [
      say(t("The model gives every token a score, its logit: the higher, the likelier. Each part of the model adds its share.")),
      say(total >= 0 ? t("Here {target} is {total} ahead of {rival}, its strongest rival.") : t("Here {target} is {total} behind {rival}, its strongest rival."),
        { target, total: brief(Math.abs(total)), rival }),
      say(own > 0 ? t("Head {name} alone writes {own} for it; all other parts together {rest}.") : t("Head {name} by itself does nothing for it: it writes {own}; all other parts together {rest}."),
        { name, own: brief(own), rest: brief(total - own) }),
    ].flat(),
    view: view(facts, { tab: "matter" }),
    target: partAt(1, hero),
    within: "#parts",
    says: t("What head {name} adds, in logits", { name }),
  };
}

function ablation(facts) {
  const { prompt: { tokens }, query, hero, effects } = facts;
  const name = nameOf(hero);
  const [loss, change] = [effects.loss.at(query), effects.ablation.at(query, hero.layer, hero.head)];
  const mean = tokens.slice(1).reduce((sum, _, at) => sum + effects.ablation.at(at, hero.layer, hero.head), 0) / (tokens.length - 1);
  const [share, after] = [nextProbability(facts, effects), Math.exp(-loss - change)];
  const title = Math.abs(change) < MATTERS ? t("Without it little changes")
    : change < 0 ? t("Without it the guess is better")
    : change >= GREAT && share >= 0.5 && after < 0.1 ? t("Without it the guess is gone") : t("Without it the guess is worse");
  return {
    title,
    text: [
      say(t("Silence head {name}: what it writes is set to zero, and the model reads the text again."), { name }),
      say(t("The loss at {here}, its surprise at what comes next, goes from {loss} to {after}."), { here: token(facts, query), loss: decimals(loss), after: brief(loss + change) }),
      say(t("The probability of {next} goes from {share} to {after}."), { next: token(facts, query + 1), share: probability(share), after: probability(after) }),
      say(t("Over the whole text it changes by {mean} a token."), { mean: brief(mean) }),
      say(page.live ? t("Now type a text of your own, or switch heads off yourself.") : t("Now look around: choose another head, or move through the training.")),
    ].flat(),
    view: view(facts, { tab: "matter" }),
    target: partAt(2, hero),
    within: "#parts",
    says: t("The loss without head {name}, minus the loss", { name }),
  };
}
