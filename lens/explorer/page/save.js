// Hands the reader a file: a picture of the map, the numbers of a row.

import { element } from "./dom.js";

/** `parts` as for a Blob: text or bytes. */
export function save(name, type, ...parts) {
  const address = URL.createObjectURL(new Blob(parts, { type }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
