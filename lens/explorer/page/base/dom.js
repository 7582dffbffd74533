// Makes elements. Text only ever becomes text nodes: no token can turn into markup.

const SVG = "http://www.w3.org/2000/svg";

export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

/** A labelled <select> of [value, text] pairs. */
export function choice(label, options, onchange) {
  const select = element("select", { onchange: () => onchange(select.value) });
  setOptions(select, options);
  return { field: element("label", { class: "choice" }, element("span", {}, label), select), select };
}

export function setOptions(select, options) {
  select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
  const field = select.closest(".choice");
  if (field) field.classList.toggle("single", options.length === 1); // nothing to choose
}

/** `parts` as for a Blob: text or bytes. */
export function save(name, type, ...parts) {
  const address = URL.createObjectURL(new Blob(parts, { type }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

/** Rows down and columns to the right, by key. */
export const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** And along a line of things. */
export const MOVES_ALONG = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

/** Leaves keys with a modifier to the browser, whose arrow keys then go back and forward. */
export const leaveModified = () => addEventListener("keydown", (event) => {
  if (event.altKey || event.metaKey || event.ctrlKey) event.stopPropagation();
}, true);

/** Which of `count` equal parts of a length lies at a distance from its start; the first or the last beyond its ends. */
export const partAt = (distance, size, count) => Math.max(0, Math.min(count - 1, Math.floor((distance / size) * count)));
