// The lesson's texts in Vietnamese, which no other page has to carry.

import { addVietnamese } from "../base/words.js";
import { LESSON_EXERCISES } from "../vi/lesson-exercises.js";
import { LESSON_HEADS } from "../vi/lesson-heads.js";
import { LESSON_JOURNEY } from "../vi/lesson-journey.js";
import { LESSON_MASK } from "../vi/lesson-mask.js";
import { LESSON_POSITIONS } from "../vi/lesson-positions.js";
import { LESSON_RUNS } from "../vi/lesson-runs.js";
import { LESSON_SCALING } from "../vi/lesson-scaling.js";
import { LESSON_SEARCH } from "../vi/lesson-search.js";
import { LESSON } from "../vi/lesson.js";

export const TEXTS = {
  ...LESSON,
  ...LESSON_SEARCH,
  ...LESSON_JOURNEY,
  ...LESSON_SCALING,
  ...LESSON_MASK,
  ...LESSON_HEADS,
  ...LESSON_POSITIONS,
  ...LESSON_RUNS,
  ...LESSON_EXERCISES,
};

addVietnamese(TEXTS);
