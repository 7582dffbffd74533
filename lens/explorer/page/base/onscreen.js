// What of it all is drawn: the drawings near the screen, and of a long prompt the positions near the query.

import { atOnce, windowStart } from "./maps.js";
import { t } from "./words.js";

const MARGIN = "200px 0px"; // so far off the screen a drawing is made ready

/**
 * A redraw that waits until `host` is on the screen or near it; while it waits, `host` is marked as busy. The first one waits
 * only until `host` is shown at all, so that the page has its height.
 */
export function whenVisible(host, draw) {
  let near = false;
  let waits = false; // once there is something to see
  function drawn() {
    host.removeAttribute("aria-busy");
    waits = true;
    draw();
  }
  const watch = new IntersectionObserver((entries) => {
    near = entries.at(-1).isIntersecting;
    if (near && host.hasAttribute("aria-busy")) drawn();
  }, { rootMargin: MARGIN });
  watch.observe(host);
  return () => (near || (!waits && !host.closest("[hidden]")) ? drawn() : host.setAttribute("aria-busy", "true"));
}

/** The positions that a table shows, {first, count}: those around the query. */
export const windowAround = (query, length) => ({ first: windowStart(query, length), count: atOnce(length) });

/** Says which positions those are, where they are not all. */
export function rangeNote({ first, count }, length) {
  return count < length ? t("Positions {first} to {last} of {length}, around the chosen one.", { first, last: first + count - 1, length }) : "";
}

/** Brings `item` to the middle of `box`, scrolling nothing else, unless it is in sight clear of what sticks to the edges. */
export function keepInView(box, item, { top, left, right = 0 }) {
  requestAnimationFrame(() => {
    const [outer, inner] = [box.getBoundingClientRect(), item.getBoundingClientRect()];
    const move = (from, to, start, size) => (from >= start && to <= start + size ? 0 : (from + to) / 2 - start - size / 2);
    box.scrollBy(
      move(inner.left, inner.right, outer.left + left, box.clientWidth - left - right),
      move(inner.top, inner.bottom, outer.top + top, box.clientHeight - top),
    );
  });
}

/** How the page scrolls by itself: at once for who prefers no motion. */
export const scrolling = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");
