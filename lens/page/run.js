// What does not change with the view: the run's name, its samples and configuration, the glossary of measures.

import { MEASURES, page } from "./data.js";
import { element } from "./dom.js";

export function run() {
  const put = (id, ...children) => document.getElementById(id).append(...children);
  document.title = `${page.run}: attention`;
  put("run", page.run);
  put("thresholds", [...new Set(Object.values(page.thresholds))].join(", "));
  put("measures", ...MEASURES.flatMap(({ label, says }) => [element("dt", {}, label), element("dd", {}, says)]));
  put("samples", element("pre", {}, page.samples || "No samples were recorded."));
  put("config", element("pre", {}, page.config));
  put("precision", "The first and the last step of a prompt carry every weight in full, as float32; the steps between "
    + "carry them rounded to thousandths, the digits that are printed there. Duplicate and induction scores are measured "
    + "on the repeated prompt, whichever prompt is shown.");
}
