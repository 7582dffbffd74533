// Chapter 9: three exercises that the page checks, one at a time.

import { element } from "../base/dom.js";
import { t } from "../base/words.js";
import { brokenmask } from "./brokenmask.js";
import { toggle } from "./field.js";
import { induction } from "./induction.js";
import { sink } from "./sink.js";

const EXERCISES = [[t("Build an induction head"), induction], [t("Find the sink"), sink], [t("Catch a broken mask"), brokenmask]];

export function exercises(host) {
  const parts = EXERCISES.map(([title]) => element("section", { class: "exercise", "aria-label": title }));
  const show = (chosen) => parts.forEach((part, at) => (part.hidden = at !== chosen));
  host.append(toggle(t("Three exercises"), EXERCISES.map(([title], at) => [at, title]), 0, show).node, ...parts);
  const drawings = EXERCISES.map(([, exercise], at) => exercise(parts[at]));

  show(0);
  return () => drawings.forEach((draw) => draw());
}
