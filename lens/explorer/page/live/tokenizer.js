// Text to token ids and back, as data/tokenizer.py has it: single characters, or byte pairs.

import { t } from "../base/words.js";
import { merge } from "./merge.js";
import { splitter } from "./split.js";

const END_OF_TEXT = "<|endoftext|>";
const LONGEST_KEPT = 64; // characters of a word whose ids are kept for when it comes again
// A character in UTF-8, its bytes written as characters.
const UTF8 = [
  "[\0-\x7f]", "[\xc2-\xdf][\x80-\xbf]",
  "\xe0[\xa0-\xbf][\x80-\xbf]", "\xed[\x80-\x9f][\x80-\xbf]", "[\xe1-\xec\xee\xef][\x80-\xbf]{2}",
  "\xf0[\x90-\xbf][\x80-\xbf]{2}", "[\xf1-\xf3][\x80-\xbf]{3}", "\xf4[\x80-\x8f][\x80-\xbf]{2}",
].join("|");
const WHOLE_OR_NOT = new RegExp(`(?:${UTF8})+|(?<partial>(?:(?!${UTF8})[^])+)`, "g");

const encoder = new TextEncoder();

/** A text's bytes in UTF-8, each as the character of that number. */
const bytesOf = (text) => Array.from(encoder.encode(text), (byte) => String.fromCharCode(byte)).join("");

/** Bytes written like that as text; bytes that are not UTF-8 become U+FFFD. */
function textOf(bytes, decoder = utf8(), options = {}) {
  return decoder.decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)), options);
}

const utf8 = () => new TextDecoder("utf-8", { ignoreBOM: true }); // U+FEFF is a character like others

export const Tokenizer = class {
  /**
   * As the page carries it: tokens, of byte pairs the bytes of each id, each as the character of that number, and "" for the
   * end of text and for ids without one; the pattern by which words are split, null for single characters; the id of the end
   * of text; and the ids that stand before a text's beginning.
   */
  constructor({ tokens, pattern, endOfText, start }) {
    Object.assign(this, { endOfText, start, bytes: pattern === null ? tokens.map(bytesOf) : tokens });
    this.ids = new Map(tokens.map((token, id) => [token, id]));
    this.ids.delete("");
    this.words = new Map(); // the ids of those that were merged
    /** Why it cannot encode any text here; null where it can. */
    this.refusal = null;
    try {
      this.pattern = pattern === null ? null : splitter(pattern);
    } catch (error) {
      this.refusal = t("this browser cannot split text by the pattern of this model's tokenizer, in which it does not know {part}", { part: error.message });
    }
  }

  /**
   * A text as {ids, unknown}. Half a surrogate pair becomes U+FFFD; characters that the vocabulary lacks are left out of the
   * ids, and in `unknown`, as [{character, at}] with their place in the text. Throws an Error where there is a `refusal`.
   */
  encode(text) {
    if (this.refusal) throw new Error(this.refusal);
    const whole = text.replace(/\p{Surrogate}/gu, "\ufffd");
    return this.pattern === null ? this.characters(whole) : { ids: this.pairs(whole), unknown: [] };
  }

  /** As `encode`, of a text's beginning, as the model has seen texts begin; its line ends \r\n and \r become \n. */
  begin(text) {
    const { ids, unknown } = this.encode(text.replace(/\r\n?/g, "\n"));
    const always = this.start.some((id) => this.bytes[id] === "");
    return { ids: always || !ids.length ? [...this.start, ...ids] : ids, unknown };
  }

  characters(text) {
    const ids = [];
    const unknown = [];
    let at = 0;
    for (const character of text) {
      if (this.ids.has(character)) ids.push(this.ids.get(character));
      else unknown.push({ character, at });
      at += character.length;
    }
    return { ids, unknown };
  }

  pairs(text) {
    const ids = [];
    for (const [word] of text.matchAll(this.pattern)) for (const id of this.word(word)) ids.push(id);
    return ids;
  }

  word(word) {
    const known = this.words.get(word);
    if (known) return known;
    const ids = merge(bytesOf(word), this.ids);
    if (word.length <= LONGEST_KEPT) this.words.set(word, ids);
    return ids;
  }

  /** The text of ids; bytes that are not UTF-8 become U+FFFD, the end of text becomes nothing. */
  decode(ids) {
    return textOf(ids.map((id) => this.bytes[id]).join(""));
  }

  /** As `decode`, of ids that come one after another: a function from an id to what it completes, from none to the rest. */
  writer() {
    const decoder = utf8();
    return (id) => textOf(id === undefined ? "" : this.bytes[id], decoder, { stream: id !== undefined });
  }

  /** A token as the page has them: bytes that are only a part of a character in hexadecimal, ⟨E6 98⟩. */
  label(id) {
    if (id === this.endOfText) return END_OF_TEXT;
    return this.bytes[id].replace(WHOLE_OR_NOT, (bytes, partial) => (partial ? `⟨${hexadecimal(bytes)}⟩` : textOf(bytes)));
  }
};

const hexadecimal = (bytes) => Array.from(bytes, (byte) => byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")).join(" ");
