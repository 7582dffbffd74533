// Cells whose text and colour are written in place, and only where they change: tables that follow a slider.

import { page } from "./data.js";
import { element } from "./dom.js";
import { visible } from "./label.js";

export const DASH = "–"; // where there is nothing to say

export function cell(name, attributes = {}) {
  return element(name, attributes, "");
}

export function write(at, text) {
  const { firstChild } = at;
  if (firstChild.data !== text) firstChild.data = text;
}

/** A token within other words, as `visible` or `labelOf` has it. */
export const chip = (token) => element("bdi", { class: "token" }, token);

/** Gives a cell a background and an ink, as from `shade`. */
export function tint(at, { background, ink }) {
  at.style.cssText = `background:${background};color:${ink}`;
}

const labels = new Map();

/** How the token of an id is shown. */
export function labelOf(id) {
  if (!labels.has(id)) labels.set(id, visible(page.labels[id]));
  return labels.get(id);
}

export const decimals = (value) => value.toFixed(page.digits.short);
