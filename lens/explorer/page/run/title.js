// The title, and in two sentences what this model is and what happens in this page; what is said about a worked example.

import { kind, lastStep, name, page } from "../base/data.js";
import { element } from "../base/dom.js";
import { shownPrompt } from "../base/state.js";
import { t } from "../base/words.js";

const count = (number) => number.toLocaleString("en");
const million = (number) => (number >= 1e6 ? t("{count} million", { count: (number / 1e6).toFixed(1) }) : count(number));
const bytes = (number) => (number >= 1e6 ? `${(number / 1e6).toFixed(1)} MB` : `${count(Math.ceil(number / 1e3))} kB`);

const TITLES = {
  run: () => t("How “{name}” learned to pay attention", { name }),
  model: () => t("What “{name}” pays attention to", { name }),
  examples: () => t("Attention by example"),
};

/** Writes the title; returns a function that shows what is said about the prompt, where something is. */
export function title(host) {
  const about = element("p", { class: "about" });
  host.append(element("h1", {}, TITLES[kind]()), element("p", { class: "standfirst" }, `${model()} ${happens()}`), about);
  let shown = null;
  return () => {
    const prompt = shownPrompt();
    if (shown === prompt) return;
    shown = prompt;
    about.hidden = !prompt.says;
    about.replaceChildren(element("b", {}, prompt.name), " ", prompt.says);
  };
}

/** What the model is. */
function model() {
  if (kind === "examples") return t("Attention small enough to follow by hand: worked examples, computed by the code that trains the models.");
  const total = page.parameters.reduce((sum, [, parameters]) => sum + parameters, 0);
  const [{ layers, heads }] = page.prompts;
  const shape = [
    ...(total ? [t("{count} parameters", { count: million(total) })] : []),
    layers === 1 ? t("one layer") : t("{count} layers", { count: layers }),
  ].join(", ");
  const each = heads === 1 ? t("one attention head in each") : t("{count} attention heads in each", { count: heads });
  return kind === "run"
    ? t("“{name}” is a language model ({shape}, {each}) that {learned}.", { name, shape, each, learned: learned() })
    : t("“{name}” is a language model ({shape}, {each}), shown as it came.", { name, shape, each });
}

/** From what it has learned, and for how long, as far as that is known. */
function learned() {
  if (lastStep === 0) return t("has not learned anything yet");
  const { source, documents, bytes: size } = page.text ?? {};
  if (!size) return t("learned to write in {steps} steps of training", { steps: count(lastStep) });
  const text = source === "tales"
    ? t("{documents} made-up stories ({size})", { documents: count(documents), size: bytes(size) })
    : t("{size} of text, {source},", { size: bytes(size), source });
  return t("learned to write from {text} in {steps} steps of training", { text, steps: count(lastStep) });
}

/** What happens in this page. */
function happens() {
  if (kind === "examples") return t("A head decides for each token at which others it looks: choose one, and see every number of it.");
  if (kind === "run") return page.live
    ? t("This page shows at which tokens each head looks, from the untrained model (the slider at its left end) to the trained one, and has the model read what you type.")
    : t("This page shows at which tokens each head looks, from the untrained model (the slider at its left end) to the trained one.");
  return page.live
    ? t("Nothing is known here of how it was trained; this page shows at which tokens each head looks, and has the model read what you type.")
    : t("Nothing is known here of how it was trained; this page shows at which tokens each head looks.");
}
