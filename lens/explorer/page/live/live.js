// The model in the page: the reader types, has it write on, and switches parts of it off, and all else is drawn for that.

import { write } from "../base/cells.js";
import { addEffects, effectsOf, kind, liveOf, page } from "../base/data.js";
import { element } from "../base/dom.js";
import { word } from "../base/label.js";
import { change, onAddress, onChange, shownNames, shownPrompt, shownStep, state, switchedOff } from "../base/state.js";
import { Numbers } from "../base/unpack.js";
import { t } from "../base/words.js";
import { bars } from "./bars.js";
import { ask, startWorker } from "./client.js";
import { addressed, goTo, isOwn, liveStep, makeReadable, show, silenced } from "./own.js";
import { switchedOffPart } from "./switches.js";
import { textBox } from "./textbox.js";
import { writing } from "./writing.js";

const REST = 600; // milliseconds without a change, after which what takes long is computed
const opened = page.live ? addressed() : null;

/** Returns a function that starts the model, for when the page is ready. */
export function live(host) {
  host.hidden = kind === "examples";
  if (host.hidden) return () => {};
  if (!page.live) {
    host.append(element("p", { class: "note" }, whyNot()));
    return () => {};
  }
  const [left, right] = [element("div"), element("div")];
  host.append(element("div", { class: "live" }, left, right));
  const box = textBox(left, (text) => {
    pen.forget();
    show({ text });
  });
  let texts = []; // of the recorded prompts
  const next = bars(right, (id) => {
    pen.forget();
    const { ids, from } = here();
    show({ ids: [...ids, id], from });
  });
  const pen = writing(left, {
    beginning: here, options: next.options, fields: next.fields, onEnd: box.say,
    onText: (text) => box.write(text),
  });
  const drawOff = switchedOffPart(left);
  const precision = element("p", { class: "note" }, "");
  left.append(precision);

  /** The text that is shown, to go on from; null for one that this model cannot read. */
  function here() {
    const { ids, from = 0, openings = [], pending = "" } = shownPrompt();
    if (!ids.length) return null;
    const text = textOf();
    const step = stepOf() < 0 ? page.live.steps.length - 1 : stepOf();
    return { ids, from, openings, text: text.slice(0, text.length - pending.length), step };
  }

  const textOf = () => (isOwn(state.prompt) ? shownPrompt().text : texts[state.prompt]) ?? "";
  const stepOf = () => liveStep(shownStep().step);

  let shown = null; // the prompt whose text is in the box
  let asked = "";

  async function draw() {
    const prompt = shownPrompt();
    if (shown !== prompt) {
      shown = prompt;
      if (!isOwn(state.prompt)) pen.forget();
      box.write(textOf());
      box.mark(prompt.unknown ?? [], isOwn(state.prompt) ? words(prompt) : prompt.ids.length ? [] : [t("The model in this page does not read this prompt. Type a text of your own.")]);
    }
    const read = liveOf(state.prompt, state.step);
    const loss = effectsOf(state.prompt, state.step)?.loss;
    write(precision, stepOf() < 0 ? notCarried() : precisionOf(page.live.steps[stepOf()]));
    drawOff(read?.before ? { now: loss.numbers, before: read.before.loss, last: read.last, lastBefore: read.before.last } : null);
    const now = `${shownNames()} ${state.step} ${switchedOff(state)}`;
    if (asked === now) return;
    asked = now;
    if (read) return next.draw({ last: read.last, before: read.before?.last ?? null, token: prompt.tokens.at(-1) });
    if (stepOf() < 0 || !prompt.ids.length) return next.draw(null);
    const answer = await ask("next", { ids: prompt.ids, written: prompt.ids.length, fresh: true, step: stepOf(), silence: [] });
    if (asked !== now) return;
    if (answer) next.draw({ last: answer.last, before: null, token: prompt.tokens.at(-1) });
    else asked = ""; // given up for what the reader has gone to: asked again at the next change
  }

  let resting = null;

  /** Once nothing has changed for a while: what each part's absence does, which takes a reading for each part. */
  function whenAtRest() {
    clearTimeout(resting);
    resting = setTimeout(async () => {
      const [prompt, step, off] = [state.prompt, state.step, switchedOff(state)];
      const { ids, from = 0, id } = shownPrompt();
      if (!liveOf(prompt, step) || effectsOf(prompt, step).ablation || ids.length - from < 2) return;
      const answer = await ask("ablate", { ids: ids.slice(from), step: stepOf(), silence: silenced(state) });
      const same = state.prompt === prompt && state.step === step && switchedOff(state) === off && shownPrompt().id === id;
      if (!answer || !same) return;
      addEffects(prompt, step, { ablation: new Numbers(...answer, page.digits.short) });
      change({});
    }, REST);
  }

  return async () => {
    box.say(t("Unpacking the model …"));
    startWorker((why) => {
      document.documentElement.removeAttribute("data-live");
      box.box.disabled = true;
      box.say(t("This browser does not let the model run here ({why}). All else on this page works.", { why }));
    });
    const answer = await ask("begin", { live: page.live, prompts: page.prompts.map(({ ids }) => ids) });
    if (!answer) return;
    texts = answer.texts;
    Object.assign(page.labels, answer.labels);
    makeReadable();
    document.documentElement.setAttribute("data-live", "");
    box.box.disabled = answer.refusal !== null;
    box.say(answer.refusal === null ? "" : t("This browser cannot split text by the pattern of this model’s tokenizer, in which it does not know {part}.", { part: answer.refusal }));
    onChange(draw);
    onChange(whenAtRest);
    onAddress(() => {
      shown = null; // what was being typed gives way, in the box too
      return goTo(addressed());
    });
    const { off, how } = opened.view;
    await goTo(opened.text === null ? { text: null, view: { off, how } } : opened);
  };
}

function words({ ids, from, pending }) {
  const read = ids.length - from;
  const count = read === 1 ? t("1 token.") : t("{count} tokens.", { count: read.toLocaleString("en") });
  if (pending) return [count, t("Its end “{end}” is left off: in a longer text it is mostly the beginning of a longer token.", { end: word(pending) })];
  if (!from) return [count];
  return [count, t("The beginning is left off: of this text the model reads the last {read} of {all} tokens.", { read, all: ids.length })];
}

/** What is read at a step whose weights the page does not carry. */
const notCarried = () => t("The page carries no weights of step {step}: your text is read, and written on, by the model of the last step.", { step: shownStep().step.toLocaleString("en") });

/** In which format the page carries the weights of a step, and what that does to the logits. */
function precisionOf({ format, difference, spread }) {
  const formats = { float32: t("exactly"), float16: t("as float16"), int8: t("as whole numbers of 8 bits with a scale for each row") };
  const carried = t("Here the page carries the weights {how}.", { how: formats[format] });
  if (format === "float32" || difference === null) return carried;
  const values = { difference: difference.toPrecision(2), spread: spread.toPrecision(2) };
  return `${carried} ${t("On the recorded prompts a logit is off by up to {difference}; all logits have a standard deviation of {spread}.", values)}`;
}

/** Why the model does not run in this page. */
function whyNot() {
  const { why, megabytes, pageMb } = page.notLive ?? {};
  const reasons = {
    "too large": t("The model does not run in this page: its weights would take {megabytes} MB of it, and at most {pageMb} are allowed (attention.page_mb).", { megabytes, pageMb }),
    "not kept": t("The model does not run in this page: the weights of its last step were not kept (attention.keep_mb)."),
    damaged: t("The model does not run in this page: the weights of its last step are damaged."),
    "not wanted": t("The model does not run in this page, as attention.page_mb is 0."),
  };
  return reasons[why] ?? t("The model does not run in this page, which was made without its weights.");
}
