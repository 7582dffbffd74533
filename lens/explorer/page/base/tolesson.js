// The lesson, which every page carries, compressed, and becomes where its address asks for it.

import { page } from "./data.js";
import { element } from "./dom.js";
import { looksAsked } from "./looks.js";
import { inflate } from "./unpack.js";
import { t } from "./words.js";

/** Whether the address asks for the lesson, or for one of its chapters. */
export const lessonAsked = () => [...new URLSearchParams(location.hash.slice(1)).keys()].some((name) => /^(lesson|chapter)\b/.test(name));

/** Puts the lesson in the place of all that is there, marked as within another page. */
export async function becomeLesson() {
  const html = new TextDecoder().decode(await inflate(page.lesson));
  const { documentElement: lesson } = new DOMParser().parseFromString(html, "text/html");
  lesson.setAttribute("data-within", "");
  document.documentElement.replaceWith(document.adoptNode(lesson));
  // A script that was parsed apart never runs: its text has to be in a new one, which the page's policy knows by its hash.
  const parsed = document.querySelector("script[type=module]");
  parsed.replaceWith(element("script", { type: "module" }, parsed.textContent));
}

/** A link to the lesson. */
export const toLesson = () => element("a", { class: "to-lesson", href: "#lesson" }, t("Lesson"));

/** Has all links to the lesson lead to it in the language and the light of this page. */
export function keepLooks() {
  document.addEventListener("click", ({ target }) => {
    const link = target.closest("a[href^='#lesson']");
    if (link) link.hash = new URLSearchParams([["lesson", ""], ...looksAsked()]);
  }, true);
}
