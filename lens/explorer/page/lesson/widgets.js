// What can be touched in the lesson, by the name that docs/attention.md calls it.
//
// Each is a function of an empty element, to be filled, and of what the page carries, as main.js gives it. It may return a
// function that draws it again, which is called when the page becomes light or dark.

import { exercises } from "./exercises.js";
import { featuremap } from "./featuremap.js";
import { heads } from "./heads.js";
import { journey } from "./journey.js";
import { search } from "./search.js";
import { scaling } from "./scaling.js";

export const WIDGETS = {
  exercises,
  featuremap,
  heads,
  search,
  journey,
  scaling,
};
