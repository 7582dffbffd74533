// Everything that a reader sees, in the language of the page. The code has it in English.

/** An English text, with each {name} in it replaced by the value of that name. */
export function t(english, values = {}) {
  return english.replace(/\{(\w+)\}/g, (place, name) => (name in values ? values[name] : place));
}
