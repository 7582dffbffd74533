// Everything that a reader sees, in the language of the page. The code has it in English.

/** An English text, with each {name} in it replaced by the value of that name. */
export function t(english, values = {}) {
  return english.replace(/\{(\w+)\}/g, (place, name) => (name in values ? values[name] : place));
}

/** As `t`, of values that may be nodes, or arrays of them: what an element takes as its children. */
export function phrase(english, values) {
  return t(english).split(/\{(\w+)\}/).flatMap((part, at) => (at % 2 ? values[part] : part));
}
