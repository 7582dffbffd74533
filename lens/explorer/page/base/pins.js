// Heads that stay in view beside the chosen one, each in a colour of its own: "layer.head" in one of four places.

export const PLACES = 4; // as many colours as can be told apart
const MAX_PINS = PLACES - 1; // one is left for the head that is chosen

export const nameOf = ({ layer, head }) => `${layer}.${head}`;

/** The pins that a model of so many layers and heads has: PLACES names, "" for none; the place of a name is its colour. */
export function validPins(pins, { layers, heads }) {
  const known = (name) => /^\d+\.\d+$/.test(name) && Number(name.split(".")[0]) < layers && Number(name.split(".")[1]) < heads;
  const kept = Array.from({ length: PLACES }, (_, place) => pins[place] ?? "")
    .map((name, place) => (known(name) && pins.indexOf(name) === place ? name : ""));
  const names = kept.filter(Boolean);
  return kept.map((name) => (names.indexOf(name) < MAX_PINS ? name : ""));
}

/** The heads in view, [{layer, head, place, pinned}] by place: the pinned ones, and the chosen one in the first free place. */
export function headsInView({ layer, head, pins }) {
  const own = pins.includes(nameOf({ layer, head })) ? -1 : pins.indexOf("");
  return pins.flatMap((name, place) => {
    if (place === own) return [{ layer, head, place, pinned: false }];
    const [down, across] = name.split(".").map(Number);
    return name ? [{ layer: down, head: across, place, pinned: true }] : [];
  });
}

export const mayPin = (pins) => pins.filter(Boolean).length < MAX_PINS;

/** The pins with a head added in the first place that is free, that of the chosen head last; or without it, where it was pinned. */
export function toggled({ layer, head, pins }, one) {
  const name = nameOf(one);
  if (pins.includes(name)) return pins.map((other) => (other === name ? "" : other));
  const shown = headsInView({ layer, head, pins });
  const place = shown.find((other) => nameOf(other) === name)?.place
    ?? pins.findIndex((_, at) => shown.every((other) => other.place !== at));
  return pins.map((other, at) => (at === place ? name : other));
}
