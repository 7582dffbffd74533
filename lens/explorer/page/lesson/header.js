// The header: the chapters, how far one has read, the language, light or dark. The address holds what was chosen.

import { addressKeeper } from "../base/address.js";
import { chooseTheme } from "../base/colour.js";
import { MOVES_ALONG, element } from "../base/dom.js";
import { looks, looksAsked } from "../base/looks.js";
import { scrolling } from "../base/onscreen.js";
import { lessonAsked } from "../base/tolesson.js";
import { t } from "../base/words.js";

const address = addressKeeper();
address.read();
const asked = new URLSearchParams(location.hash.slice(1));
const within = document.documentElement.hasAttribute("data-within"); // another page, which has become the lesson
if (within && !lessonAsked()) location.reload(); // the reader went back meanwhile
if (within) asked.set("lesson", "");

/**
 * Fills the header and ends each chapter with the way to the next; `draw` is called when the page has become light or dark.
 * Returns what goes to the chapter that the address asks for.
 */
export function header(host, draw) {
  const chapters = [...document.querySelectorAll(".chapter")];
  const links = chapters.map((chapter, at) => element("a", {
    href: `#${chapter.id}`, title: titleOf(chapter), "aria-label": titleOf(chapter),
  }, `${at + 1}`));
  const nav = element("nav", { class: "chapters", "aria-label": t("Chapters"), onkeydown: alongChapters }, ...links);
  const here = element("span", { class: "here-now", "aria-hidden": "true" });
  const bar = element("div", { class: "progress" });
  host.setAttribute("aria-label", t("The lesson"));
  host.append(
    element("div", { class: "brand" }, element("b", {}, "glassgpt"), element("span", {}, t("the lesson"))),
    nav, here,
    looks(toLanguage, toTheme, ...(within ? [toMaps()] : [])),
    bar,
  );
  new ResizeObserver(() => document.documentElement.style.setProperty("--header", `${host.offsetHeight}px`)).observe(host);
  chapters.forEach((chapter, at) => chapter.append(onward(chapters[at + 1])));

  document.addEventListener("click", (event) => {
    const id = event.target.closest("a[href^='#']")?.hash.slice(1);
    if (id === undefined || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    goTo(id);
  });
  addEventListener("hashchange", () => location.reload()); // by hand, or for another language
  addEventListener("scroll", follow, { passive: true });
  addEventListener("resize", follow);
  if (["light", "dark"].includes(asked.get("theme"))) chooseTheme(asked.get("theme"));
  let shown = null;
  return arrive;

  function toLanguage(code) {
    asked.set("lang", code);
    location.hash = asked;
  }

  function toTheme(name) {
    chooseTheme(name);
    asked.set("theme", name);
    remember();
    draw();
  }

  /** Goes to the chapter that the address asks for, when the page has its height. */
  function arrive() {
    const start = /chapter\D(\d+)/.exec(location.hash)?.[1];
    if (start) {
      history.scrollRestoration = "manual"; // the place of before was measured in another language
      document.getElementById(`chapter-${start}`)?.scrollIntoView();
    }
    follow();
  }

  /** Marks the chapter that is read: the last whose beginning has passed under the header. */
  function follow() {
    const top = host.offsetHeight + 0.3 * innerHeight;
    const now = chapters.filter((one) => one.getBoundingClientRect().top < top).length;
    const length = document.documentElement.scrollHeight - innerHeight;
    bar.style.transform = `scaleX(${length > 0 ? Math.min(1, scrollY / length) : 1})`;
    if (now === shown) return;
    shown = now;
    links.forEach((link, at) => (at === now - 1 ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
    here.textContent = now ? titleOf(chapters[now - 1]) : "";
    for (const name of [...asked.keys()].filter((name) => name.startsWith("chapter"))) asked.delete(name);
    if (now) asked.set("chapter", now);
    remember();
  }

  function goTo(id) {
    const place = document.getElementById(id) ?? document.querySelector("h1");
    place.scrollIntoView({ behavior: scrolling() });
    const heading = place.querySelector("h2") ?? place;
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }

  function alongChapters(event) {
    const move = MOVES_ALONG[event.key];
    if (move === undefined) return;
    const to = links.indexOf(document.activeElement) + move;
    links[Math.max(0, Math.min(links.length - 1, to))].focus();
    event.preventDefault();
  }
}

/** The way back to the page that has become the lesson. */
const toMaps = () => element("a", {
  class: "to-lesson", href: "#", onclick: (event) => {
    event.preventDefault();
    event.stopPropagation();
    location.hash = new URLSearchParams(looksAsked());
  },
}, t("The maps"));

/** Writes what was chosen into the address. */
const remember = () => address.write(`#${asked}`);

const titleOf = (chapter) => chapter.querySelector("h2").textContent;

/** The way from a chapter's end to the next one, or from the last back to the beginning. */
function onward(next) {
  const link = next
    ? element("a", { href: `#${next.id}` }, t("Next: {title}", { title: titleOf(next) }), " →")
    : element("a", { href: "#" }, t("Back to the beginning"), " ↑");
  return element("p", { class: "onward" }, link);
}
