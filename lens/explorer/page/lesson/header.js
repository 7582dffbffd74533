// The header: the chapters, the language, light or dark.

import { chooseTheme, theme } from "../base/colour.js";
import { element } from "../base/dom.js";
import { language, t } from "../base/words.js";

const LANGUAGES = { vi: "Tiếng Việt", en: "English" };

/** Fills the header; `draw` is called when the page has become light or dark. The chapter and the language stand in the address. */
export function header(host, draw) {
  const chapters = [...document.querySelectorAll(".chapter")];
  const links = chapters.map(({ id }, at) => element("a", { href: `#${id}`, title: titleOf(chapters[at]) }, `${at + 1}`));
  const themes = element("button", { class: "theme", type: "button", "aria-label": t("Light or dark"), title: t("Light or dark") }, "◐");
  themes.addEventListener("click", () => {
    chooseTheme(theme() === "dark" ? "light" : "dark");
    draw();
  });
  host.append(
    element("div", { class: "brand" }, element("b", {}, "glassgpt"), element("span", {}, t("the lesson"))),
    element("nav", { class: "chapters", "aria-label": t("Chapters") }, ...links),
    element("div", { class: "looks" }, languages(), themes),
  );
  new ResizeObserver(() => document.documentElement.style.setProperty("--header", `${host.offsetHeight}px`)).observe(host);

  for (const link of links) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      goTo(link.hash.slice(1));
    });
  }
  const [, asked] = /(chapter-\d+)/.exec(location.hash) ?? [];
  if (asked) document.getElementById(asked)?.scrollIntoView();
  addEventListener("hashchange", () => location.reload()); // by hand, or from another language

  /** The chapter that is read, the last whose beginning has passed under the header. */
  function current() {
    const top = host.offsetHeight + 0.3 * innerHeight;
    const passed = chapters.filter((one) => one.getBoundingClientRect().top < top).length;
    links.forEach((link, at) => (at === passed - 1 ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
  }
  addEventListener("scroll", current, { passive: true });
  current();

  function goTo(id) {
    history.replaceState(null, "", addressOf(id, language));
    document.getElementById(id).scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  }

  function languages() {
    const one = ([code, name]) => element("button", {
      type: "button", lang: code, title: name, "aria-label": `${code.toUpperCase()}, ${name}`, "aria-pressed": code === language,
      onclick: () => {
        const at = links.findIndex((link) => link.hasAttribute("aria-current"));
        location.hash = addressOf(at < 0 ? "" : chapters[at].id, code);
      },
    }, code.toUpperCase());
    return element("div", { class: "languages", role: "group", "aria-label": t("Language") }, ...Object.entries(LANGUAGES).map(one));
  }
}

const titleOf = (chapter) => chapter.querySelector("h2").textContent;

const addressOf = (id, lang) => `#${new URLSearchParams({ ...(id ? { chapter: id } : {}), lang })}`;
