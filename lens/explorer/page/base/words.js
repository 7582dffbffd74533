// Everything that a reader sees, in the language of the page. The code has it in English, ../vi/ what it is in Vietnamese.

import { GIVEN } from "../vi/given.js";
import { VIETNAMESE } from "../vi/vi.js";

const TABLES = { en: {}, vi: VIETNAMESE };

/** The language that the address asks for; undefined without one, or with one that the page does not have. */
export function languageAsked() {
  const asked = new URLSearchParams(location.hash.slice(1)).get("lang");
  return Object.keys(TABLES).find((one) => one === asked);
}

/** The language of the page: the one asked for, or else the browser's first, where the page has it. */
export const language = languageAsked() ?? (/^vi\b/i.test(navigator.language) ? "vi" : "en");

const table = new Map(Object.entries(TABLES[language]));

/** Adds the Vietnamese of texts that only some pages have; before any of them is asked for. */
export function addVietnamese(texts) {
  if (language !== "vi") return;
  for (const [english, own] of Object.entries(texts)) table.set(english, own);
}

/** An English text in the language of the page, with each {name} in it replaced by the value of that name. */
export function t(english, values = {}) {
  return filled(table.get(english) ?? english, values);
}

const filled = (text, values) => text.replace(/\{(\w+)\}/g, (place, name) => (name in values ? values[name] : place));

/** A text that has come with the data, as one of a kind of ../vi/given.js, in the language of the page where that is known. */
export function given(kind, text) {
  if (language === "en") return text;
  for (const [english, own] of Object.entries(GIVEN[kind])) {
    const parts = english.split(/\{(\w+)\}/).map((part, at) => (at % 2 ? `(?<${part}>.+)` : part.replace(/[^\w\s]/g, "\\$&")));
    const found = new RegExp(`^${parts.join("")}$`, "s").exec(text);
    if (found) return filled(own, found.groups ?? {});
  }
  return text;
}

/** As `t`, of values that may be nodes, or arrays of them: what an element takes as its children. */
export function phrase(english, values) {
  return t(english).split(/\{(\w+)\}/).flatMap((part, at) => (at % 2 ? values[part] : part));
}

/** Has the texts of index.html in that language: what is in elements marked with data-t, and what names others. */
export function translatePage() {
  const { documentElement } = document;
  documentElement.lang = language;
  for (const one of document.querySelectorAll("[data-t]")) one.innerHTML = t(one.innerHTML.trim().replace(/\s+/g, " "));
  for (const one of document.querySelectorAll("[aria-label]")) one.setAttribute("aria-label", t(one.getAttribute("aria-label")));
  documentElement.setAttribute("data-translated", "");
}
