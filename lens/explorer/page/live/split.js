// The regular expression by which a tokenizer splits text into words: written for tiktoken (fancy-regex), read by JavaScript.

const ESCAPE = String.raw`\\(?:[srntSdD]|p\{\w+\}|[^\w\s])`;
const PART = new RegExp([
  String.raw`(?<open>\((?:\?(?:[:>=!]|<[=!]|i:))?)`,
  String.raw`(?<close>\))`,
  String.raw`(?<either>\|)`,
  String.raw`(?<times>[?*+]|\{\d+(?:,\d*)?\})(?<how>[?+]?)`,
  String.raw`(?<end>\$|\\z)`,
  String.raw`\[(?<not>\^?)(?<members>(?:${ESCAPE}|&(?!&)|-(?!-)|~(?!~)|[^\\\[\]&~-])+)\]`,
  String.raw`(?<any>\.)`,
  String.raw`(?<character>${ESCAPE}|[^\\\[\](){}?*+|^$.])`,
].join("|"), "uy");

// JavaScript's own \s has U+FEFF and lacks U+0085; its own \d is 0 to 9.
const KINDS = { "\\s": "\\p{White_Space}", "\\S": "\\P{White_Space}", "\\d": "\\p{Nd}", "\\D": "\\P{Nd}" };
const FORMS = { k: "kK\u212a", s: "sS\u017f" }; // of letters that have more than two where case is ignored

/**
 * The pattern as a RegExp that finds one word after another. Throws a SyntaxError, whose message is the part in question,
 * where the pattern has anything that may mean something else here.
 */
export function splitter(pattern) {
  const parts = [];
  const groups = []; // those that are open: {start, its place in `parts`, atomic, caseless}
  let last = 0; // where in `parts` that begins which a quantifier stands for
  let atoms = 0;
  const makeAtomic = () => { // what a look-ahead has found, it does not look for again
    const found = parts.splice(last).join("");
    parts.push(`(?=(?<atom${atoms}>${found}))\\k<atom${atoms++}>`);
  };
  for (let place = 0; place < pattern.length; place = PART.lastIndex) {
    PART.lastIndex = place;
    const part = PART.exec(pattern)?.groups;
    const caseless = groups.at(-1)?.caseless ?? false;
    if (!part || (part.close && !groups.length)) throw new SyntaxError(pattern.slice(place, place + 12));
    if (part.open) {
      groups.push({ start: parts.length, atomic: part.open === "(?>", caseless: caseless || part.open === "(?i:" });
      parts.push(/[=!]/.test(part.open) ? part.open : "(?:");
    } else if (part.close) {
      const group = groups.pop();
      last = group.start;
      parts.push(")");
      if (group.atomic) makeAtomic();
    } else if (part.times) {
      parts.push(part.times + part.how.replace("+", ""));
      if (part.how === "+") makeAtomic();
    } else if (part.either || part.end) {
      parts.push(part.either ?? "$");
    } else {
      last = parts.length;
      parts.push(part.any ? "[^\\n]" : oneOf(part.not ?? "", part.members ?? part.character, caseless));
    }
  }
  return new RegExp(parts.join(""), "gu");
}

/** The brackets that match a character if it is one of these members, or with `not` if it is none of them. */
function oneOf(not, members, caseless) {
  return `[${not}${Array.from(members.matchAll(new RegExp(`${ESCAPE}|[^]`, "gu")), ([member]) => inBrackets(member, caseless)).join("")}]`;
}

function inBrackets(member, caseless) {
  if (/^\\[rnt]/.test(member)) return member;
  if (member in KINDS) return KINDS[member];
  const character = member.replace(/^\\(?=[^\w\s])/u, "");
  const named = member.startsWith("\\p");
  if (caseless && (named || member === "-" || character > "\x7f")) throw new SyntaxError(member); // its other forms are not known
  if (named) return property(member);
  if (member === "-") return member; // from one to another
  const letter = character.toLowerCase();
  const forms = !caseless || letter === character.toUpperCase() ? character : FORMS[letter] ?? letter + letter.toUpperCase();
  return Array.from(forms, (form) => `\\u{${form.codePointAt(0).toString(16)}}`).join("");
}

/** A \p{…} of a category or of another property, such as L or Alphabetic, or of a script, such as Han. */
function property(named) {
  const known = [named, named.replace("{", "{Script=")].find((one) => {
    try {
      return new RegExp(one, "u");
    } catch {
      return false;
    }
  });
  if (!known) throw new SyntaxError(named);
  return known;
}
