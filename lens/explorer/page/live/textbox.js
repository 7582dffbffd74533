// The box in which the reader types, with the characters marked that the model does not know.

import { element } from "../base/dom.js";
import { word } from "../base/label.js";
import { t } from "../base/words.js";

const MAX_NAMED = 8; // characters

/** `onType(text)` is called at every keystroke. */
export function textBox(host, onType) {
  const marks = element("div", { class: "type-marks", "aria-hidden": "true", dir: "auto" });
  const box = element("textarea", { id: "type", rows: 3, dir: "auto", spellcheck: "false", autocapitalize: "off", autocomplete: "off", disabled: "" });
  const label = element("label", { for: "type" }, t("Type: what does your model make of it?"));
  const says = element("p", { class: "note", id: "type-says", role: "status" });
  box.setAttribute("aria-describedby", says.id);
  host.append(element("h2", {}, label), element("div", { class: "type-box" }, marks, box), says);
  box.addEventListener("input", () => onType(box.value));
  box.addEventListener("scroll", () => (marks.scrollTop = box.scrollTop));

  /** Puts the text of what is shown into the box, with its end in sight where it goes on; what is typed is there already. */
  function write(text) {
    if (box.value === text) return;
    const goesOn = box.value !== "" && text.startsWith(box.value);
    box.value = text;
    if (goesOn) box.scrollTop = box.scrollHeight;
  }

  /** Marks the characters that are unknown, [{character, at}], and says so, with other words about the text. */
  function mark(unknown, words) {
    const parts = [];
    let end = 0;
    for (const { character, at } of unknown) {
      parts.push(box.value.slice(end, at), element("mark", {}, character));
      end = at + character.length;
    }
    marks.replaceChildren(...parts, box.value.slice(end));
    if (unknown.length) marks.scrollTop = box.scrollTop;
    const names = [...new Set(unknown.map(({ character }) => character))];
    const named = names.slice(0, MAX_NAMED).map((character) => word(character)).join(" ") + (names.length > MAX_NAMED ? " …" : "");
    const left = names.length ? [t("Not in its vocabulary, and so left out: {characters}.", { characters: named })] : [];
    says.textContent = [...words, ...left].join(" ");
  }

  return { box, write, mark, say: (words) => (says.textContent = words) };
}
