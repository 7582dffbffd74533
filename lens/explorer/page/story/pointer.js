// A ring around one thing on the page, with a line of words at it.

import { element } from "../base/dom.js";
import { scrolling } from "../base/onscreen.js";

const GAP = 5; // pixels between the thing and the ring
const PACE = 250; // milliseconds after which it looks where the thing is now: a redraw may have moved it
const EDGE = 10; // pixels between the words and the edge of the window

export function pointer() {
  const words = element("span", { class: "ring-words" }, "");
  const ring = element("div", { class: "ring", hidden: "" }, words);
  document.body.append(element("div", { class: "ring-layer", "aria-hidden": "true" }, ring));
  let target = null; // a selector: what it names may be built anew
  let watch = null;

  function draw() {
    const thing = target && document.querySelector(target);
    const box = thing?.getBoundingClientRect();
    ring.hidden = !box?.width;
    if (ring.hidden) return;
    Object.assign(ring.style, {
      left: `${box.left + scrollX - GAP}px`, top: `${box.top + scrollY - GAP}px`, width: `${box.width + 2 * GAP}px`, height: `${box.height + 2 * GAP}px`,
    });
    ring.classList.toggle("tall", box.height > innerHeight / 3);
    const { clientWidth } = document.documentElement;
    const { width } = words.getBoundingClientRect();
    const left = Math.max(EDGE, Math.min(clientWidth - width - EDGE, (box.left + box.right - width) / 2));
    words.style.left = `${left - box.left + GAP}px`;
  }

  addEventListener("resize", draw);
  new ResizeObserver(draw).observe(document.body);

  return {
    /** Points at what a selector names, with some words; brings it into the window below `top` pixels, if that is not null. */
    show(selector, says, top) {
      target = selector;
      clearInterval(watch);
      watch = setInterval(draw, PACE);
      words.textContent = says;
      draw();
      if (ring.hidden || top === null) return;
      const thing = document.querySelector(target);
      thing.scrollIntoView({ block: "nearest", inline: "nearest" }); // within a box that scrolls
      draw();
      const box = ring.getBoundingClientRect();
      const bottom = box.bottom + words.offsetHeight + EDGE;
      const isSeen = (by) => box.top - by >= top && bottom - by <= innerHeight;
      const start = (thing.closest("#workbench")?.getBoundingClientRect().top ?? top) - top; // all columns from their tops
      if (isSeen(start)) scrollBy({ top: start, behavior: scrolling() });
      else if (!isSeen(0)) scrollBy({ top: Math.min(box.top - top - EDGE, (box.top + bottom - top - innerHeight) / 2), behavior: scrolling() });
    },
    hide() {
      target = null;
      clearInterval(watch);
      draw();
    },
  };
}
