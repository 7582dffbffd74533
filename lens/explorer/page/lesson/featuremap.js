// Chapter 6: a feature map is a sequence. Nine pixels through 1x1 convolutions, and as nine tokens through Linear.

import { shade, signedShade } from "../base/colour.js";
import { element } from "../base/dom.js";
import { formatNumber, power } from "../base/number.js";
import { phrase, t } from "../base/words.js";
import { largestDifference } from "./attention.js";
import { library } from "./library.js";
import { transpose } from "./matrices.js";
import { neighbours, throughConvolutions } from "./convolution.js";
import { channelsOf, multiHead, sizesOf } from "./multihead.js";
import { fixed, matrix } from "./matrix.js";

const [HEIGHT, WIDTH, CHANNELS] = [3, 3, 4];
const LARGEST = 3; // of a channel, and of the colours

export function featuremap(host, { examples }) {
  const { given, tokens: names } = examples.feature_map;
  const sizes = sizesOf({ dim: CHANNELS, num_heads: 2, attn_ratio: 0.5 });
  const usual = channelsOf(sizes).map((_, at) => at);
  const [W_Q, W_K, W_V, W_O] = given.slice(CHANNELS).map(({ rows }) => rows);
  const W = W_Q.map((row, at) => [...row, ...W_K[at], ...W_V[at]]);
  const planes = given.slice(0, CHANNELS).map(({ rows }) => rows.flat());
  const code = (text) => element("code", {}, text);
  const call = library();
  let chosen = 0;

  const pixels = names.map((name, pixel) => {
    const quarters = planes.map(() => element("span"));
    const button = element("button", { type: "button", class: "pixel", onclick: () => choose(pixel) }, ...quarters);
    return { button, quarters };
  });
  const picture = element("div", { class: "pixels", role: "group", "aria-label": t("The picture: choose a pixel") }, ...pixels.map(({ button }) => button));
  const maps = Array.from({ length: sizes.num_heads }, (_, head) => {
    const cells = names.map(() => element("div", { class: "pixel" }));
    const title = element("figcaption", {}, ...phrase("head {head}", { head }));
    return { cells, node: element("figure", { class: "matrix", "data-head": head }, title, element("div", { class: "pixels" }, ...cells)) };
  });
  const sliders = planes.map((plane, channel) => {
    const input = element("input", { type: "range", min: 0, max: LARGEST, step: 0.1, "aria-label": t("channel {channel} of the pixel", { channel }) });
    const output = element("output");
    input.addEventListener("input", () => {
      plane[chosen] = Number(input.value);
      draw();
    });
    return { input, output, node: element("label", {}, code(`${channel}`), input, output) };
  });
  const ways = [code("Conv2d(4, 8, 1)"), code("Linear(4, 8)")];
  const outputs = matrix(t("what comes out for this pixel, both ways"), { write: fixed(4), colour: (value) => signedShade(value, 2 * LARGEST) });
  const [reads, apart] = [element("p", { "aria-live": "polite" }), element("p", { class: "same" })];
  host.append(
    element("p", { class: "lead" }, t("Choose a pixel and see what it reads; change its channels.")),
    element("div", { class: "side-by-side" },
      element("figure", { class: "matrix" }, element("figcaption", {}, t("the picture, four channels a pixel")), picture), ...maps.map(({ node }) => node)),
    reads, element("div", { class: "sliders" }, ...sliders.map(({ node }) => node)), outputs.node, apart, call.node,
  );

  function choose(pixel) {
    chosen = pixel;
    draw();
  }

  function draw() {
    const tokens = transpose(planes); // nine tokens of four channels
    const { heads, out } = multiHead(tokens, W, W_O, sizes, usual);
    const convolved = transpose(throughConvolutions(planes, W, W_O, sizes));
    const near = neighbours(chosen, HEIGHT, WIDTH);
    pixels.forEach(({ button, quarters }, pixel) => {
      quarters.forEach((one, channel) => (one.style.background = signedShade(planes[channel][pixel], LARGEST).background));
      button.setAttribute("aria-pressed", pixel === chosen);
      button.setAttribute("aria-label", t("pixel {name}: {values}", { name: names[pixel], values: tokens[pixel].map((value) => formatNumber(value, 1)).join(", ") }));
    });
    maps.forEach(({ cells }, head) => cells.forEach((cell, pixel) => {
      const weight = heads[head].weights[chosen][pixel];
      const { background, ink } = shade(weight, 1, "absolute");
      Object.assign(cell.style, { background, color: ink });
      cell.textContent = formatNumber(weight, 2);
      cell.classList.toggle("near", near.includes(pixel));
    }));
    sliders.forEach(({ input, output }, channel) => {
      input.value = planes[channel][chosen];
      output.textContent = formatNumber(planes[channel][chosen], 1);
    });
    reads.replaceChildren(...phrase("Pixel {name} reads all {all} pixels at once; a 3x3 convolution would see the {near} that are framed.", {
      name: code(names[chosen]), all: `${names.length}`, near: `${near.length}`,
    }));
    outputs.show([convolved[chosen], out[chosen]], ways, planes.map((_, channel) => `${channel}`));
    call.draw(tokens);
    const difference = largestDifference(convolved, out);
    apart.replaceChildren(...phrase("Largest difference between the two ways, over all nine pixels: {apart}", {
      apart: element("b", {}, difference === 0 ? "0" : power(difference, 1)),
    }));
  }

  draw();
  return draw;
}
