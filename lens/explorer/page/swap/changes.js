// Which tokens of the shown text are others in the second one, and at which position the two are asked what comes next: as
// the address holds it, "12.340.871 @30" for the token 340 at position 12 changed into 871, or "=" for no change.

const NONE = "=";

/** The changes [{at, to}] of a text's ids, below `vocab`, or null where none are told, or those of another text. */
export function changesIn(told, ids, vocab) {
  const words = told.split(" ").filter((word) => word && !word.startsWith("@"));
  if (words.includes(NONE)) return [];
  const changes = words.map((word) => word.split(".").map(Number)).map(([at, from, to]) => ({ at, from, to }));
  const known = ({ at, from, to }) => Number.isInteger(to) && to >= 0 && to < vocab && from !== undefined && ids[at] === from;
  return changes.length && changes.every(known) ? changes.map(({ at, to }) => ({ at, to })) : null;
}

/** The position that is asked about, or null where it is left to the page. */
export function positionIn(told, { length }) {
  const position = Number(told.match(/@(\d+)/)?.[1] ?? NaN);
  return position < length ? position : null;
}

/** As the address holds it. */
export function written(ids, changes, position) {
  const words = changes.filter(({ at, to }) => ids[at] !== to).map(({ at, to }) => `${at}.${ids[at]}.${to}`);
  return [...(words.length ? words : [NONE]), ...(position === null ? [] : [`@${position}`])].join(" ");
}

/** The ids of the second text. */
export const swapped = (ids, changes) => changes.reduce((second, { at, to }) => second.with(at, to), [...ids]);
