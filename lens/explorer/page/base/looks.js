// What every page has at the right of its header: the language, and light or dark.

import { chosenTheme, theme } from "./colour.js";
import { element } from "./dom.js";
import { language, languageAsked, t } from "./words.js";

const LANGUAGES = { vi: "Tiếng Việt", en: "English" };

/** toLanguage(code) and toTheme("light" or "dark") are called with what the reader asks for; `before`: what stands before them. */
export function looks(toLanguage, toTheme, ...before) {
  const languages = Object.entries(LANGUAGES).map(([code, name]) => element("button", {
    type: "button", lang: code, title: name, "aria-label": `${code.toUpperCase()}, ${name}`, "aria-pressed": code === language,
    onclick: () => toLanguage(code),
  }, code.toUpperCase()));
  const themes = element("button", {
    class: "theme", type: "button", "aria-label": t("Light or dark"), title: t("Light or dark"),
    onclick: () => toTheme(theme() === "dark" ? "light" : "dark"),
  }, "◐");
  return element("div", { class: "looks" }, ...before, element("div", { class: "languages", role: "group", "aria-label": t("Language") }, ...languages), themes);
}

/** The light and the language that the reader has chosen, as pairs of name and value for an address. */
export const looksAsked = () => [["theme", chosenTheme()], ["lang", languageAsked()]].filter(([, value]) => value && value !== "system");
