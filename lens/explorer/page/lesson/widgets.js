// What can be touched in the lesson, by the name that docs/attention.md calls it.
//
// Each is a function of an empty element, to be filled, and of what the page carries, as main.js gives it. It may return a
// function that draws it again, which is called when the page becomes light or dark.

import { block } from "./block.js";
import { exercises } from "./exercises.js";
import { featuremap } from "./featuremap.js";
import { formed } from "./formed.js";
import { heads } from "./heads.js";
import { jobs } from "./jobs.js";
import { journey } from "./journey.js";
import { mistakes } from "./mistakes.js";
import { scaling } from "./scaling.js";
import { pixels } from "./pixels.js";
import { search } from "./search.js";
import { versus } from "./versus.js";
import { mask } from "./mask.js";
import { positions } from "./positions.js";

export const WIDGETS = {
  block,
  exercises,
  featuremap,
  formed,
  heads,
  jobs,
  journey,
  mistakes,
  scaling,
  search,
  versus,
  mask,
  pixels,
  positions,
};
