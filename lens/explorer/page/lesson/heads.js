// Chapter 6: what the parameters of a head make of one another, and where each channel of qkv goes.

import { choice, element, setOptions } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { t } from "../base/words.js";
import { channelPicture } from "./channels.js";
import { toggle } from "./field.js";
import { headNumbers } from "./headnumbers.js";
import { channelsOf, headByHead, sizesOf } from "./multihead.js";

const DIMS = [4, 8, 12, 16];
const HEADS = [1, 2, 3, 4, 6, 8];
const RATIOS = [0.25, 0.5, 1, 2];
const EXAMPLE = { dim: 4, num_heads: 2, attn_ratio: 0.5 };

export function heads(host, { examples }) {
  const setting = { ...EXAMPLE, headByHead: false };
  const code = (text) => element("code", {}, text);
  const select = (name, options) => choice(code(name), options.map((one) => [one, `${one}`]), (value) => {
    setting[name] = Number(value);
    draw();
  });
  const fields = { dim: select("dim", DIMS), num_heads: select("num_heads", HEADS), attn_ratio: select("attn_ratio", RATIOS) };
  const orders = [[false, t("all Q, all K, all V, as here")], [true, t("head by head, as elsewhere")]];
  const ordering = toggle(t("Order of the channels in qkv"), orders, setting.headByHead, (value) => {
    setting.headByHead = value;
    draw();
  });
  const back = element("button", {
    type: "button", class: "plain", onclick: () => {
      Object.assign(setting, EXAMPLE);
      draw();
    },
  }, t("Back to the example with numbers"));
  const picture = channelPicture({
    qkv: (count) => t("qkv makes {count} channels of X", { count }),
    z: t("the heads’ outputs, concatenated"),
    proj: t("proj mixes the heads"),
    out: t("out, dim channels again"),
    picture: t("Each channel of qkv goes to the queries, keys or values of one head; the heads’ outputs are concatenated and projected."),
  });
  const sizes = element("dl", { class: "sizes" });
  const numbers = headNumbers(examples.two_narrow_heads, sizesOf(EXAMPLE));
  host.append(
    element("p", { class: "lead" }, t("Choose the parameters and follow each channel.")),
    element("div", { class: "choices" }, ...Object.values(fields).map(({ field }) => field)),
    sizes,
    ordering.node,
    element("div", { class: "picture" }, picture.node),
    numbers.node, back,
  );

  function draw() {
    setOptions(fields.num_heads.select, HEADS.filter((one) => setting.dim % one === 0).map((one) => [one, `${one}`]));
    if (setting.dim % setting.num_heads) setting.num_heads = 1;
    for (const name of Object.keys(fields)) fields[name].select.value = setting[name];
    const now = sizesOf(setting);
    const channels = channelsOf(now);
    const order = setting.headByHead ? headByHead(channels) : channels.map((_, at) => at);
    sizes.replaceChildren(...formulas(now).flatMap(([name, how, value]) => [element("dt", {}, code(name)), element("dd", {}, code(how)), element("dd", { "data-size": name }, value)]));
    picture.draw(now, order);
    const isExample = Object.entries(EXAMPLE).every(([name, value]) => setting[name] === value);
    numbers.node.hidden = !isExample;
    back.hidden = isExample;
    if (isExample) numbers.draw(order);
  }

  new ResizeObserver(draw).observe(host);
  draw();
  return draw;
}

/** [name, with its numbers, value] of each size. */
function formulas({ dim, num_heads, attn_ratio, head_dim, key_dim, qkv, scale }) {
  const narrow = `int(${head_dim} * ${attn_ratio})`;
  return [
    ["head_dim", `${dim} // ${num_heads}`, `${head_dim}`],
    ["key_dim", head_dim * attn_ratio < 1 ? `max(1, ${narrow})` : narrow, `${key_dim}`],
    ["qkv", `${dim} + 2 * ${key_dim} * ${num_heads}`, t("{count} channels", { count: qkv })],
    ["scale", `${key_dim} ** -0.5`, formatNumber(scale, 4)],
    ["proj", `${num_heads} * ${head_dim} → ${dim}`, t("{count} channels", { count: dim })],
  ];
}
