// The page in Vietnamese: of each English text of the code and of index.html what it is, by the part of the page; what comes
// with the data is in given.js.
//
// Words that a learner will meet in English stand in brackets where they come first. {names} and tags stay as they are.

import { LESSON_EXERCISES } from "./lesson-exercises.js";
import { LESSON_HEADS } from "./lesson-heads.js";
import { LESSON_JOURNEY } from "./lesson-journey.js";
import { LESSON_SCALING } from "./lesson-scaling.js";
import { LESSON_SEARCH } from "./lesson-search.js";
import { LESSON } from "./lesson.js";
import { LESSON_RUNS } from "./lessonruns.js";
import { LESSON_MASK } from "./lesson-mask.js";
import { LESSON_POSITIONS } from "./lesson-positions.js";
import { LIVE } from "./live.js";
import { MAPS } from "./maps.js";
import { PAGE } from "./page.js";
import { STORY } from "./story.js";
import { SWAP } from "./swap.js";
import { GLOSSARY } from "./terms.js";
import { WALK } from "./walk.js";

export const VIETNAMESE = {
  ...LESSON_EXERCISES,
  ...LESSON_HEADS,
  ...LESSON_JOURNEY,
  ...LESSON_SCALING,
  ...LESSON_SEARCH,
  ...LESSON,
  ...LESSON_RUNS,
  ...LIVE,
  ...MAPS,
  ...PAGE,
  ...STORY,
  ...SWAP,
  ...GLOSSARY,
  ...WALK,
  ...LESSON_MASK,
  ...LESSON_POSITIONS,
};
