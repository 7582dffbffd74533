// The words at the top, which differ between a run and worked examples, and what is said of the prompt.

import { page } from "./data.js";
import { element } from "./dom.js";
import { shownPrompt } from "./state.js";

export function opening(host) {
  const [ofRun, ofExamples, says] = [".of-run", ".of-examples", ".about"].map((name) => host.querySelector(name));
  ofRun.hidden = page.run === null;
  ofExamples.hidden = page.run !== null;
  let shown = null;
  return () => {
    const prompt = shownPrompt();
    if (shown === prompt) return;
    shown = prompt;
    says.hidden = !prompt.says;
    says.replaceChildren(element("b", {}, prompt.name), " ", prompt.says);
  };
}
