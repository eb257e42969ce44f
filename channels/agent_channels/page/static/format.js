// A message's text as its platform draws it: Discord's is Markdown, formatting of others is entities, whose offsets
// count UTF-16 units as JavaScript does.

import { codeBlock, element, foldedQuote, link, moment, spoiler } from "./dom.js";
import { markdown } from "./markdown.js";
import { drawRich } from "./rich.js";

// `plain`: what is known of the text is how it reads, and nothing of its formatting.
export const drawText = (platform, { text, entities: list = [], names = {}, plain = false }) =>
  plain || platform !== "discord" ? entities(text, list) : markdown(text, names);

// As much of a message as is ever shown in one line.
const ONE_LINE = 400;

// The text in one line, without formatting; what a spoiler hides stays hidden.
export function oneLine(platform, message) {
  const drawn = document.createDocumentFragment();
  if (message.rich) drawn.append(drawRich(message.rich, { limit: ONE_LINE }));
  else drawn.append(drawText(platform, { ...message, text: message.text.slice(0, ONE_LINE) }));
  for (const hidden of drawn.querySelectorAll(".spoiler")) hidden.replaceWith("▒▒▒");
  for (const control of drawn.querySelectorAll(".more")) control.remove();
  for (const block of drawn.querySelectorAll("li, p, td, th, blockquote, pre, small, summary, .heading")) block.append(" ");
  return drawn.textContent.replace(/\s+/g, " ").trim();
}

const TAGS = new Map([["bold", "strong"], ["italic", "em"], ["underline", "u"], ["strikethrough", "s"], ["code", "code"]]);
const MENTIONS = new Set(["mention", "text_mention", "hashtag", "cashtag", "bot_command", "email", "phone_number"]);
const BLOCKS = new Set(["pre", "blockquote", "expandable_blockquote"]);

export function entities(text, list) {
  const sorted = list
    .map((entity) => ({ ...entity, end: entity.offset + entity.length }))
    .sort((a, b) => a.offset - b.offset || b.length - a.length);
  const fragment = document.createDocumentFragment();
  fragment.append(...drawRange(text, sorted, 0, text.length));
  return fragment;
}

function drawRange(text, sorted, from, to) {
  const nodes = [];
  let index = from;
  let rest = sorted;
  while (rest.length) {
    const [entity, ...others] = rest;
    if (entity.offset >= to) break;
    if (entity.offset < index) {
      rest = others;
      continue;
    }
    if (entity.offset > index) nodes.push(plain(text.slice(index, entity.offset)));
    const end = Math.min(entity.end, to);
    const inner = others.filter((other) => other.offset < end);
    nodes.push(drawEntity(entity, text.slice(entity.offset, end), () => drawRange(text, inner, entity.offset, end)));
    index = end;
    // Telegram shows no empty line for the line break after a block.
    if (BLOCKS.has(entity.type) && text[index] === "\n" && index < to) index += 1;
    rest = others.filter((other) => other.offset >= end);
  }
  if (index < to) nodes.push(plain(text.slice(index, to)));
  return nodes;
}

const plain = (text) => document.createTextNode(text);

function drawEntity(entity, text, children) {
  if (TAGS.has(entity.type)) return element(TAGS.get(entity.type), {}, ...children());
  if (MENTIONS.has(entity.type)) return element("span", { class: "mention" }, ...children());
  switch (entity.type) {
    case "pre":
      return codeBlock(text, entity.language);
    case "blockquote":
      return element("blockquote", {}, ...children());
    case "expandable_blockquote":
      return foldedQuote(...children());
    case "spoiler":
      return spoiler(...children());
    case "text_link":
      return link(entity.url, ...children());
    case "url":
      return link(/^[a-z]+:/i.test(text) ? text : `https://${text}`, ...children());
    case "date_time":
      return moment(entity.unix_time, entity.date_time_format ?? "", text);
    default:
      return element("span", {}, ...children());
  }
}
