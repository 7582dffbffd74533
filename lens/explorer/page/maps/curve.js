// The way of an arc between two tokens, each a box {left, right, top, bottom} in pixels.

const MAX_RISE = 26; // of an arc's control points above its line; it gets three quarters as high
const LOOP = 9; // pixels to each side, of an arc from a token to itself

/** A place on a box, so many pixels to the right of its middle or as near to that as the box reaches. */
const across = ({ left, right }, shift) => Math.max(left + 1, Math.min(right - 1, (left + right) / 2 + shift));

/** The four points of a Bézier curve: above a line of text, or from a line to another. */
function points(from, to, shift) {
  const loop = from === to ? LOOP : 0;
  const [x1, x2] = [across(from, shift - loop), across(to, shift + loop)];
  if (Math.abs(from.top - to.top) < (from.bottom - from.top) / 2) {
    const rise = Math.min(MAX_RISE, 12 + Math.abs(x1 - x2) / 6) + Math.abs(shift);
    return [[x1, from.top], [x1, from.top - rise], [x2, to.top - rise], [x2, to.top]];
  }
  const [y1, y2] = from.top > to.top ? [from.top, to.bottom] : [from.bottom, to.top];
  return [[x1, y1], [x1, (y1 + y2) / 2], [x2, (y1 + y2) / 2], [x2, y2]];
}

/** The curve as the path of an SVG, `shift` pixels to the right of the middle of both tokens. */
export function curve(from, to, shift) {
  const [start, ...others] = points(from, to, shift).map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`);
  return `M${start}C${others.join(" ")}`;
}

/** [x, y] halfway along the curve. */
export function summit(from, to, shift) {
  const [a, b, c, d] = points(from, to, shift);
  return [0, 1].map((axis) => (a[axis] + 3 * b[axis] + 3 * c[axis] + d[axis]) / 8);
}
