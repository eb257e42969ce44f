// Telegram's formatting: a text and its entities, whose offsets count UTF-16 units as JavaScript does.

import { codeBlock, element, link, spoiler } from "/dom.js";

const TAGS = { bold: "strong", italic: "em", underline: "u", strikethrough: "s", code: "code" };
const BLOCKS = new Set(["pre", "blockquote", "expandable_blockquote"]);

export function entities(text, list) {
  const sorted = list
    .map((one) => ({ ...one, end: one.offset + one.length }))
    .sort((a, b) => a.offset - b.offset || b.length - a.length);
  const made = document.createDocumentFragment();
  made.append(...inside(text, sorted, 0, text.length));
  return made;
}

function inside(text, sorted, from, to) {
  const nodes = [];
  let at = from;
  let rest = sorted;
  while (rest.length) {
    const [one, ...others] = rest;
    if (one.offset >= to) break;
    if (one.offset < at) {
      rest = others;
      continue;
    }
    if (one.offset > at) nodes.push(plain(text.slice(at, one.offset)));
    const end = Math.min(one.end, to);
    const within = others.filter((other) => other.offset < end);
    nodes.push(entity(one, text.slice(one.offset, end), () => inside(text, within, one.offset, end)));
    at = end;
    // Telegram shows no empty line for the line break after a block.
    if (BLOCKS.has(one.type) && text[at] === "\n" && at < to) at += 1;
    rest = others.filter((other) => other.offset >= end);
  }
  if (at < to) nodes.push(plain(text.slice(at, to)));
  return nodes;
}

const plain = (text) => document.createTextNode(text);

function entity(one, text, children) {
  if (TAGS[one.type]) return element(TAGS[one.type], {}, ...children());
  switch (one.type) {
    case "pre":
      return codeBlock(text, one.language);
    case "blockquote":
    case "expandable_blockquote":
      return element("blockquote", {}, ...children());
    case "spoiler":
      return spoiler(...children());
    case "text_link":
      return link(one.url, ...children());
    case "url":
      return link(/^[a-z]+:/i.test(text) ? text : `https://${text}`, ...children());
    case "mention":
    case "hashtag":
    case "bot_command":
    case "text_mention":
      return element("span", { class: "mention" }, ...children());
    default:
      return element("span", {}, ...children());
  }
}
