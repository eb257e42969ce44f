// A rich message of Telegram: a tree of blocks whose words are trees themselves. Nothing in it is trusted: what has an
// unknown type, or is not built as documented, is drawn by its words.

import { codeBlock, element, foldedQuote, link, moment, spoiler } from "./dom.js";
import { say } from "./words.js";

// Clients get about this many characters, and the rest when somebody asks for it.
const FOLD_AT = 8000;
const DEEPEST = 48;
const COLUMNS_MAX = 20;
const ROWS_MAX = 500;

// `file` draws a file, `button` a button, each from what the page calls so; without them only their words are drawn.
export function drawRich(rich, { file, button, limit = FOLD_AT } = {}) {
  const box = element("div", { class: "rich", dir: rich?.is_rtl ? "rtl" : "auto", "data-fold": "" });
  const fill = (left, isOpen) => {
    const pen = { file, button, left, isCut: false };
    box.dataset.fold = isOpen ? "open" : "";
    box.replaceChildren(...blocks(rich?.blocks, pen, 0));
    if (pen.isCut && button) box.append(element("button", { type: "button", class: "more", "data-focus": "more", onclick: open }, say("Show more")));
  };
  const open = () => {
    box.dataset.touched = "";
    fill(Infinity, true);
    box.tabIndex = -1;
    box.focus({ preventScroll: true });
  };
  box.addEventListener("fold", (event) => {
    if (!event.detail) return;
    box.dataset.touched = "";
    fill(Infinity, true);
  });
  fill(limit, false);
  return box;
}

const list = (value) => (Array.isArray(value) ? value : []);
const isNode = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const name = (value) => (typeof value === "string" ? value : "");

// Takes what may still be shown of these words.
function take(words, pen) {
  const said = String(words).slice(0, Math.max(0, pen.left)).replace(/[\ud800-\udbff]$/, "");
  pen.left -= String(words).length;
  if (said.length < String(words).length) pen.isCut = true;
  return document.createTextNode(said);
}

const WORDS = ["text", "blocks", "items", "cells", "summary", "caption", "credit", "alternative_text", "expression"];

// All words in a node, whatever it is; a line break between blocks.
function words(value, depth = 0) {
  if (typeof value === "string" || typeof value === "number") return String(value);
  if (depth > 400) return "…";
  if (Array.isArray(value)) return value.map((one) => words(one, depth + 1)).join(value.some((one) => isNode(one) && (one.blocks || one.type === "paragraph")) ? "\n" : "");
  if (!isNode(value)) return "";
  return WORDS.filter((key) => key in value).map((key) => words(value[key], depth + 1)).join(" ");
}

// --- words

const TAGS = new Map(Object.entries({ bold: "strong", italic: "em", underline: "u", strikethrough: "s", subscript: "sub", superscript: "sup", marked: "mark", code: "code" }));
const MENTIONS = new Set(["text_mention", "mention", "hashtag", "cashtag", "bot_command", "email_address", "phone_number", "bank_card_number"]);

function text(value, pen, depth) {
  if (typeof value === "string" || typeof value === "number") return [take(value, pen)];
  if (depth > DEEPEST) return [take(words(value), pen)];
  if (Array.isArray(value)) return value.flatMap((one) => text(one, pen, depth + 1));
  if (!isNode(value)) return [];
  const inner = () => text(value.text, pen, depth + 1);
  if (TAGS.has(value.type)) return [element(TAGS.get(value.type), {}, ...inner())];
  if (MENTIONS.has(value.type)) return [element("span", { class: "mention" }, ...inner())];
  switch (value.type) {
    case "spoiler":
      return [spoiler(...inner())];
    case "url":
      return [link(name(value.url), ...inner())];
    case "date_time":
      return [moment(value.unix_time, name(value.date_time_format), take(words(value.text), pen).data)];
    case "custom_emoji":
      return [take(name(value.alternative_text), pen)];
    case "mathematical_expression":
      return [formula(value, pen)];
    case "anchor":
      return [element("span", { "data-anchor": name(value.name) })];
    case "anchor_link":
      return [jump(name(value.anchor_name), inner())];
    case "reference":
      return [element("span", { "data-anchor": `note ${name(value.name)}` }, ...inner())];
    case "reference_link":
      return [element("sup", {}, jump(`note ${name(value.reference_name)}`, inner()))];
    case "button":
      return [richButton(value.button, pen)];
    default:
      return walk(value, pen, depth).flat();
  }
}

const formula = (value, pen) => element("code", { class: "formula", role: "math" }, take(name(value.expression), pen));

// A link to a place in the same message.
function jump(anchor, children) {
  const go = (event) => {
    const place = event.target.closest(".rich").querySelector(`[data-anchor="${CSS.escape(anchor)}"]`);
    place?.scrollIntoView({ block: "nearest" });
    place?.classList.add("pointed");
  };
  return element("button", { type: "button", class: "jump", onclick: go }, ...children);
}

function richButton(button, pen) {
  const label = words(isNode(button) ? button.text : "");
  pen.left -= label.length;
  if (!pen.button || !isNode(button)) return document.createTextNode(label);
  return pen.button({
    label,
    style: name(button.style),
    url: name(button.url) || null,
    copy: name(button.copy_text?.text) || null,
    data: name(button.callback_data) || null,
    disabled: !["callback_data", "url", "copy_text"].some((key) => key in button),
  });
}

// --- blocks

function blocks(value, pen, depth) {
  const nodes = [];
  for (const block of list(value)) {
    if (pen.left <= 0) {
      pen.isCut = true;
      break;
    }
    if (!isNode(block)) nodes.push(element("p", {}, ...text(block, pen, depth)));
    else if (depth > DEEPEST) nodes.push(element("p", {}, take(words(block), pen)));
    else nodes.push((BLOCKS.get(block.type) ?? unknown)(block, pen, depth + 1));
  }
  return nodes;
}

const FILES = { photo: "Picture", video: "Video", animation: "Animation", audio: "Audio", voice_note: "Voice message", document: "File" };
const caption = (block, pen, depth) => {
  const said = isNode(block.caption) && !block.caption.type ? [...text(block.caption.text, pen, depth), ...credit(block.caption, pen, depth)] : text(block.caption, pen, depth);
  return said.length ? element("figcaption", {}, ...said) : null;
};
const credit = (block, pen, depth) => (block.credit ? [element("cite", {}, ...text(block.credit, pen, depth))] : []);
const quote = (block, pen, depth) => [...("blocks" in block ? blocks(block.blocks, pen, depth) : [element("p", {}, ...text(block.text, pen, depth))]), ...credit(block, pen, depth)];
const paragraph = (tag, attributes = {}) => (block, pen, depth) => element(tag, { dir: "auto", ...attributes }, ...text(block.text, pen, depth));

const BLOCKS = new Map(Object.entries({
  paragraph: paragraph("p"),
  heading: drawHeading,
  pre: (block, pen) => codeBlock(take(words(block.text), pen), name(block.language)),
  footer: paragraph("small"),
  thinking: paragraph("p", { class: "thinking" }),
  divider: () => element("hr"),
  anchor: (block) => element("span", { "data-anchor": name(block.name) }),
  mathematical_expression: (block, pen) => element("p", {}, formula(block, pen)),
  list: drawList,
  blockquote: (block, pen, depth) => element("blockquote", {}, ...quote(block, pen, depth)),
  pullquote: (block, pen, depth) => element("blockquote", { class: "pull" }, ...quote(block, pen, depth)),
  expandable_blockquote: (block, pen, depth) => foldedQuote(...quote(block, pen, depth)),
  table: drawTable,
  details: drawDetails,
  collage: drawGroup,
  slideshow: drawGroup,
  map: drawMap,
  buttons: (block, pen) => element("div", { class: "row", role: "group", "aria-label": say("Buttons") }, ...list(block.buttons).map((one) => richButton(one, pen))),
  ...Object.fromEntries(Object.keys(FILES).map((kind) => [kind, drawMedia])),
}));

// What is not known is drawn by the words that it holds, blocks in it as blocks.
function walk(value, pen, depth) {
  return WORDS.filter((key) => key in value).map((key) => {
    const held = value[key];
    if (depth > DEEPEST) return [take(words(held), pen)];
    return key === "blocks" || key === "items" ? blocks(held, pen, depth) : text(held, pen, depth + 1);
  });
}

function unknown(block, pen, depth) {
  return element("div", { dir: "auto" }, ...walk(block, pen, depth).map((nodes) => element("div", {}, ...nodes)));
}

function drawHeading(block, pen, depth) {
  const size = Math.min(6, Math.max(1, Number(block.size) || 1));
  return element("strong", { class: `heading h${size}`, role: "heading", "aria-level": Math.min(6, size + 2), dir: "auto" }, ...text(block.text, pen, depth));
}

function drawList(block, pen, depth) {
  const items = list(block.items).filter(isNode);
  const isNumbered = items.some((item) => "value" in item || item.type || /\w/.test(name(item.label)));
  const nodes = [];
  for (const item of items) {
    if (pen.left <= 0) {
      pen.isCut = true;
      break;
    }
    const box = item.has_checkbox ? element("span", { class: "box", role: "img", "aria-label": item.is_checked ? "done" : "to do" }, item.is_checked ? "☑" : "☐") : null;
    const number = { value: Number.isInteger(item.value) ? item.value : null, type: /^[aAiI1]$/.test(item.type ?? "") ? item.type : null };
    nodes.push(element("li", { class: box ? "task" : null, ...number }, box, element("div", {}, ...blocks(item.blocks, pen, depth))));
  }
  return element(isNumbered ? "ol" : "ul", {}, ...nodes);
}

function drawTable(block, pen, depth) {
  const rows = list(block.cells).slice(0, ROWS_MAX).map((row) => element("tr", {}, ...list(row).slice(0, COLUMNS_MAX).map((cell) => drawCell(isNode(cell) ? cell : { text: cell }, pen, depth))));
  const looks = ["bordered", "striped", "compact"].filter((look) => block[`is_${look}`]).join(" ");
  const said = caption(block, pen, depth);
  const table = element("table", { class: looks }, said ? element("caption", {}, ...said.childNodes) : null, element("tbody", {}, ...rows));
  return element("div", { class: "scroll", role: "region", "aria-label": say("Table"), tabindex: "0" }, table);
}

function drawCell(cell, pen, depth) {
  const span = (value, most) => (Number.isInteger(value) && value > 1 ? Math.min(value, most) : null);
  const known = (value, ...all) => (all.includes(value) ? value : null);
  const attributes = {
    colspan: span(cell.colspan, COLUMNS_MAX),
    rowspan: span(cell.rowspan, ROWS_MAX),
    align: known(cell.align, "left", "center", "right"),
    valign: known(cell.valign, "top", "middle", "bottom"),
    dir: "auto",
  };
  return element(cell.is_header ? "th" : "td", attributes, element("div", { class: "cell" }, ...text(cell.text, pen, depth)));
}

function drawDetails(block, pen, depth) {
  const summary = element("summary", { "data-focus": "details" }, ...text(block.summary || say("Details"), pen, depth));
  const details = element("details", { open: Boolean(block.is_open), "data-fold": "" }, summary, element("div", {}, ...blocks(block.blocks, pen, depth)));
  const touch = () => {
    details.dataset.touched = "";
  };
  summary.addEventListener("click", touch);
  details.addEventListener("fold", (event) => {
    touch();
    details.open = event.detail;
  });
  return details;
}

function drawGroup(block, pen, depth) {
  return element("figure", { class: "group" }, element("div", {}, ...blocks(block.blocks, pen, depth)), caption(block, pen, depth));
}

function drawMap(block, pen, depth) {
  const point = isNode(block.location) ? [block.location.latitude, block.location.longitude].filter(Number.isFinite) : [];
  return element("figure", {}, element("p", { class: "file" }, say("Map"), point.length === 2 ? element("small", {}, point.join(", ")) : null), caption(block, pen, depth));
}

function drawMedia(block, pen, depth) {
  const kind = block.type;
  const held = Array.isArray(block[kind]) ? block[kind].at(-1) : block[kind];
  const known = isNode(held) ? held : {};
  const words = name(known.file_name) || say(FILES[kind] ?? "File");
  const sizes = kind === "photo" ? { picture: true, width: Number(known.width) || null, height: Number(known.height) || null } : {};
  const isStored = pen.file && /^[\w-]+$/.test(name(known.file_id));
  const file = isStored ? pen.file({ name: words, size: Number(known.file_size) || 0, url: `file/telegram/${known.file_id}`, ...sizes }) : element("p", { class: "file" }, words);
  return element("figure", {}, file, caption(block, pen, depth));
}
