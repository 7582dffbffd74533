// Writing on: the model goes on with the text token by token, drawn with a seed, until it is stopped or ends its text.

import { page } from "../base/data.js";
import { element } from "../base/dom.js";
import { goingTo } from "../base/state.js";
import { t } from "../base/words.js";
import { ask, isRunning } from "./client.js";
import { show, silenced } from "./own.js";
import { draw, generator, probabilities } from "./sampling.js";

const MAX_TOKENS = 1000; // in one go: a text without an end of text would go on for ever
const PACE = 25; // milliseconds a token: slow enough to read along
const REDRAW = 250; // milliseconds between two drawings of all that the page shows
const SEEDS = 2 ** 32;

/** beginning(): the text to go on with, {ids, from, openings, text, step}, or null; options: of sampling.js, and the fields that set them; onText(text), for each token. */
export function writing(host, { beginning, options, fields, onText, onEnd }) {
  const main = element("button", { type: "button", class: "save", onclick: () => (running ? (running.asked = true) : write(beginning(), seedOf())) });
  const seed = element("input", { type: "number", min: 0, max: SEEDS - 1, step: 1, value: 1 });
  const again = element("button", { type: "button", class: "save", onclick: () => write(last, seedOf()) }, t("Again"));
  const another = element("button", { type: "button", class: "save", onclick: () => {
    seed.value = (seedOf() + 1) % SEEDS;
    write(last, seedOf());
  } }, t("Another"));
  again.title = t("Writes from the same place with the same seed");
  another.title = t("Writes from the same place with the next seed");
  host.append(element("div", { class: "writing" }, main, element("label", { class: "choice" }, element("span", {}, t("seed")), seed), ...fields, again, another));
  let running = null;
  let last = null; // where writing began
  update();

  const seedOf = () => (Math.trunc(Number(seed.value)) || 0) >>> 0;

  function update() {
    main.textContent = running ? t("Stop") : t("Write on");
    host.setAttribute("aria-busy", running !== null); // what changes with every token is not read out
    again.disabled = another.disabled = !last;
  }

  /** Writing gives way to what the reader does. */
  function stop() {
    running = null;
    update();
  }

  /** What has been written no longer has a beginning to go back to: another text is there. */
  function forget() {
    stop();
    last = null;
    update();
  }

  async function write(from, number) {
    if (!from) return;
    const own = running = { asked: false }; // whether the reader has asked it to stop
    last = from;
    update();
    const random = generator(number);
    const chosen = { ...options };
    const written = from.ids.length;
    const ids = [...from.ids];
    const draws = async (context) => {
      await show({ ids: [...ids], from: context, written }, { step: from.step });
      return running === own;
    };
    let [drawn, context] = [-Infinity, 0];
    let end = t("It has written {count} tokens.", { count: MAX_TOKENS });
    while (ids.length - written < MAX_TOKENS && !own.asked) {
      const answer = await ask("next", { ids, from: from.from, written, fresh: ids.length === written, openings: from.openings, step: from.step, silence: silenced(goingTo()) });
      if (running !== own) return;
      if (!answer && !isRunning()) return stop();
      if (!answer) continue; // other parts have been switched off
      context = answer.from;
      onText(from.text + answer.text);
      if (performance.now() - drawn > REDRAW) {
        if (!(await draws(context))) return;
        drawn = performance.now();
      }
      const id = draw(probabilities(answer.last, chosen), random);
      if (id === page.live.tokenizer.endOfText) {
        end = t("The model ended its text here.");
        break;
      }
      ids.push(id);
      await new Promise((done) => setTimeout(done, PACE));
      if (running !== own) return;
    }
    if (!(await draws(context))) return;
    stop();
    onEnd(own.asked ? t("Stopped.") : end);
  }

  return { forget };
}
