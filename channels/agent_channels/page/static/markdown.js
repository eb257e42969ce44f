// Discord's Markdown by the rules of its client: at each place the rules are tried in this order, and what none of them
// takes is text. Some rules hold only where a line begins.

import { codeBlock, element, link, moment, spoiler } from "./dom.js";

// A message has at most 4,000 characters; what is longer all the same has no formatting after that.
const LONGEST = 4000;
// More marks inside each other than this are text.
const DEEPEST = 24;

export function markdown(text, names) {
  const fragment = document.createDocumentFragment();
  fragment.append(...draw(text.slice(0, LONGEST), { names, lineStart: true, depth: 0 }));
  if (text.length > LONGEST) fragment.append(text.slice(LONGEST));
  return fragment;
}

const ITEM = /( *)([-*]|\d{1,18}\.) +(?=\S)/y;
const LETTERS = { t: "t", T: "T", d: "d", D: "D", f: "Dt", F: "wDt", s: "dt", S: "dT", R: "r" };
const plain = (text) => document.createTextNode(text);
const mention = (text) => element("span", { class: "mention" }, text);
const mark = (tag) => ([, inner], state) => element(tag, {}, ...draw(inner, state));

// A label that shows an address would hide where the link leads; the client draws such a link as text.
const hidesAddress = ([, label]) => label.includes("://");

// [pattern, what to draw, whether only where a line begins, the state in which it does not hold, what it refuses]
const RULES = [
  [/¯\\_\(ツ\)_\/¯/y, ([text]) => plain(text)],
  [/\\([^0-9A-Za-z\s])/uy, ([, char]) => plain(char)],
  [/```(?:([a-z0-9_+\-.#]+?)\n)?\n*([^\n][\s\S]*?)\n*```\n?/iy, ([, language, text]) => codeBlock(text, language)],
  [/ *>>> ([\s\S]*)/y, ([, inner], state) => quote(inner, state), true, "quoted"],
  [/(?: *> [^\n]*(?:\n|$))+/y, ([all], state) => quote(all.replace(/^ *> /gm, "").replace(/\n$/, ""), state), true, "quoted"],
  [/ *(#{1,3}) +([^\n]*[^\s#][^\n]*?)[ #]*(?:\n|$)/y, ([, hashes, inner], state) => element("strong", { class: `heading h${hashes.length}` }, ...draw(inner, state)), true],
  [/ *-# +([^\n]*\S[^\n]*)(?:\n|$)/y, ([, inner], state) => element("small", {}, ...draw(inner, state)), true],
  // A list goes on with every item and every indented line.
  [/ *(?:[-*]|\d{1,18}\.) +\S[^\n]*(?:\n+(?: *(?:[-*]|\d{1,18}\.) +\S| +\S)[^\n]*)*(?:\n|$)/y, ([all], state) => list(all, state), true],
  [/\[((?:\\.|\[[^\]\n]*\]|[^[\]\\\n])+)\]\(\s*<?(https?:\/\/(?:[^\s()<>\\]|\\.|\([^\s()<>]*\))+)>?(?:\s+["'][^"'\n]*["'])?\s*\)/y, ([, label, href], state) => link(href, ...draw(label, { ...state, linked: true })), false, "linked", hidesAddress],
  [/<(https?:\/\/[^\s<>]+)>/y, ([, href]) => link(href, href), false, "linked"],
  [/https?:\/\/(?:(?!\]\()[^\s<])+[^<.,:;"'\]\s]/y, ([href]) => link(href, href), false, "linked"],
  [/<@!?(\d+)>/y, ([, id], { names }) => mention(`@${names[id] ?? "unknown-user"}`)],
  [/<@&(\d+)>/y, ([, id], { names }) => mention(`@${names[id] ?? "deleted-role"}`)],
  [/<#(\d+)>/y, ([, id], { names }) => mention(`#${names[id] ?? "unknown"}`)],
  [/@(?:everyone|here)\b/y, ([text]) => mention(text)],
  [/<\/([^\n:>]+):\d+>/y, ([, command]) => mention(`/${command}`)],
  [/<t:(-?\d{1,13})(?::([tTdDfFsSR]))?>/y, ([text, seconds, style = "f"]) => moment(seconds, LETTERS[style], text)],
  [/<a?(:\w+:)\d+>/y, ([, name]) => plain(name)],
  [/(`+)([\s\S]*?[^`])\1(?!`)/y, ([, , text]) => element("code", {}, text.trim() || text)],
  [/\|\|([\s\S]+?)\|\|/y, ([, inner], state) => spoiler(...draw(inner, state))],
  [/~~(?=\S)((?:\\[\s\S]|~(?!~)|[^\s~\\]|\s(?!~~))+?)~~/y, mark("s")],
];
// Of these the one that takes most is drawn, and of two that take as much the first.
const MARKS = [
  [/_((?:__|\\[\s\S]|[^\\_])+?)_\b(?!_)|\*(?=\S)((?:\*\*|\\[\s\S]|\s+(?:\\[\s\S]|[^\s*\\]|\*\*)|[^\s*\\])+?)\*(?!\*)/y, ([, line, star], state) => element("em", {}, ...draw(line ?? star, state))],
  [/\*\*((?:\\[\s\S]|[^\\])+?)\*\*(?!\*)/y, mark("strong")],
  [/__((?:\\[\s\S]|[^\\])+?)__(?!_)/y, mark("u")],
];
// The rest of a word: where it ends, a rule may begin.
const WORD = /[^\n]*?(?=[^0-9A-Za-z\s\u00c0-\uffff]|\n|https?:\/\/|$)/y;

function matchAt(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function draw(text, state) {
  const nodes = [];
  const say = (words) => {
    if (nodes.at(-1)?.nodeType === Node.TEXT_NODE) nodes.at(-1).data += words;
    else nodes.push(plain(words));
  };
  if (state.depth > DEEPEST) return [plain(text)];
  const inner = { ...state, lineStart: false, depth: state.depth + 1 };
  let at = 0;
  while (at < text.length) {
    const isLineStart = at === 0 ? state.lineStart : text[at - 1] === "\n";
    const found = match(text, at, isLineStart, state);
    if (found) {
      for (const node of [found.draw(found.match, inner)].flat()) {
        if (node.nodeType === Node.TEXT_NODE) say(node.data);
        else nodes.push(node);
      }
      at += found.match[0].length;
    } else {
      const end = at + 1 + (text[at] === "\n" ? 0 : matchAt(WORD, text, at + 1)[0].length);
      say(text.slice(at, end));
      at = end;
    }
  }
  return nodes;
}

function match(text, at, isLineStart, state) {
  for (const [pattern, draw, onlyAtStart, unless, refuse] of RULES) {
    if ((onlyAtStart && !isLineStart) || state[unless]) continue;
    const match = matchAt(pattern, text, at);
    if (match && !refuse?.(match)) return { match: pattern.source.startsWith("https?") ? closed(match) : match, draw };
  }
  let longest = null;
  for (const [pattern, draw] of MARKS) {
    const match = matchAt(pattern, text, at);
    if (match && match[0].length > (longest?.match[0].length ?? 0)) longest = { match, draw };
  }
  return longest;
}

// An address ends before a bracket that was opened before it.
function closed([href]) {
  let cut = href;
  while (cut.endsWith(")") && cut.split(")").length > cut.split("(").length) cut = cut.slice(0, -1);
  return [cut];
}

const quote = (text, state) => element("blockquote", {}, ...draw(text, { ...state, lineStart: true, quoted: true }));

function list(text, state) {
  const root = element("div");
  const open = [{ depth: -1, item: root }];
  let item = null;
  let words = [];
  const finish = () => item?.prepend(...draw(words.join("\n"), state));
  for (const line of text.replace(/\n$/, "").split("\n")) {
    const found = matchAt(ITEM, line, 0);
    if (!found) {
      words.push(line.trimStart());
      continue;
    }
    finish();
    const [all, { length: depth }, sign] = found;
    const tag = /\d/.test(sign) ? "OL" : "UL";
    words = [line.slice(all.length)];
    item = element("li");
    while (depth < open.at(-1).depth) open.pop();
    if (depth > open.at(-1).depth || open.at(-1).list?.tagName !== tag) {
      if (depth === open.at(-1).depth) open.pop();
      const made = element(tag, tag === "OL" ? { start: parseInt(sign, 10) } : {});
      open.at(-1).item.append(made);
      open.push({ depth, list: made });
    }
    open.at(-1).list.append(item);
    open.at(-1).item = item;
  }
  finish();
  return [...root.childNodes];
}
