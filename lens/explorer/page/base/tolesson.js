// The lesson, which every page carries, compressed, and becomes where its address asks for it.

import { page } from "./data.js";
import { element } from "./dom.js";
import { looksAsked } from "./looks.js";
import { inflate } from "./unpack.js";
import { t } from "./words.js";

/** Whether the address asks for the lesson, or for one of its chapters. */
export const lessonAsked = () => /^#(lesson|chapter)\b/.test(location.hash);

/** Puts the lesson in the place of all that is there. */
export async function becomeLesson() {
  const html = new TextDecoder().decode(await inflate(page.lesson));
  document.open();
  document.write(html);
  document.close();
}

/** A link to the lesson, in the language and the light of this page. */
export const toLesson = () => element("a", {
  class: "to-lesson", href: "#lesson", onclick: ({ currentTarget }) => {
    currentTarget.hash = new URLSearchParams([["lesson", ""], ...looksAsked()]);
  },
}, t("Lesson"));
