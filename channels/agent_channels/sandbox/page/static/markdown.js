// Discord's Markdown, as its clients draw it: blocks by line, then the inside of a line.

import { codeBlock, element, link, spoiler } from "/dom.js";

export function markdown(text, names) {
  const made = document.createDocumentFragment();
  // Fences go first: nothing inside them is formatting.
  const parts = text.split(/```(?:([\w+#.-]+)\n)?\n?([\s\S]+?)\n?```\n?/g);
  for (let at = 0; at < parts.length; at += 3) {
    if (parts[at]) made.append(...blocks(parts[at], names));
    if (at + 2 < parts.length) made.append(codeBlock(parts[at + 2], parts[at + 1]));
  }
  return made;
}

const HEADING = /^(#{1,3}) +(.+)$/;
const QUOTE = /^(>>>|>) (.*)$/;
const SMALL = /^-# +(.+)$/;
const isBlock = (line) => [HEADING, QUOTE, SMALL, ITEM].some((pattern) => pattern.test(line));

function blocks(text, names) {
  const nodes = [];
  const lines = text.replace(/^\n|\n$/g, "").split("\n");
  for (let at = 0; at < lines.length; at += 1) {
    const taken = [lines[at]];
    const more = (goesOn) => {
      while (at + 1 < lines.length && goesOn(lines[at + 1])) taken.push(lines[(at += 1)]);
    };
    const heading = HEADING.exec(lines[at]);
    const quote = QUOTE.exec(lines[at]);
    const small = SMALL.exec(lines[at]);
    if (heading) {
      nodes.push(element("strong", { class: `heading h${heading[1].length}` }, ...inline(heading[2], names)));
    } else if (small) {
      nodes.push(element("small", {}, ...inline(small[1], names)));
    } else if (quote) {
      more((line) => quote[1] === ">>>" || line.startsWith("> "));
      const said = taken.map((line, n) => (n === 0 ? quote[2] : quote[1] === ">>>" ? line : line.slice(2)));
      nodes.push(element("blockquote", {}, ...blocks(said.join("\n"), names)));
    } else if (isItem(lines[at])) {
      more(isItem);
      nodes.push(...list(taken, names));
    } else {
      more((line) => !isBlock(line));
      // The line break before a block is the block's own; an empty line is one.
      const words = taken.join("\n") + (at + 1 < lines.length && !taken.at(-1) ? "\n" : "");
      nodes.push(...inline(words, names));
    }
  }
  return nodes;
}

const ITEM = /^( *)([-*]|\d+\.) +(.+)$/;
const isItem = (line) => ITEM.test(line);

function list(lines, names) {
  const roots = [];
  const open = [];
  for (const line of lines) {
    const [, indent, mark, text] = ITEM.exec(line);
    const depth = indent.length;
    const ordered = /\d/.test(mark);
    while (open.length && depth < open.at(-1).depth) open.pop();
    let top = open.at(-1);
    const item = element("li", {}, ...inline(text, names));
    if (!top || depth > top.depth || (top.ordered !== ordered && depth === top.depth)) {
      if (top && depth === top.depth) open.pop();
      const made = element(ordered ? "ol" : "ul", ordered ? { start: parseInt(mark, 10) } : {});
      const parent = open.at(-1)?.node.lastElementChild;
      if (parent) parent.append(made);
      else roots.push(made);
      top = { depth, ordered, node: made };
      open.push(top);
    }
    top.node.append(item);
  }
  return roots;
}

// In order: the first that matches earliest wins, and among those the one that stands first here.
const RULES = [
  [/\\([^\w\s])/, ([, char]) => document.createTextNode(char)],
  [/(`+)([\s\S]*?[^`])\1(?!`)/, ([, , text]) => element("code", {}, text.trim() || text)],
  [/\[([^\]\n]+)\]\(<?(https?:\/\/[^\s)>]+)>?\)/, ([, label, href], names) => link(href, ...inline(label, names))],
  [/<(https?:\/\/[^\s>]+)>/, ([, href]) => link(href, href)],
  [/https?:\/\/[^\s<]+[^\s<.,:;"')\]*_~|]/, ([href]) => link(href, href)],
  [/<@!?(\d+)>/, ([, id], names) => element("span", { class: "mention" }, `@${names[id] ?? "somebody"}`)],
  [/<#(\d+)>/, () => element("span", { class: "mention" }, "#channel")],
  [/<a?(:\w+:)\d+>/, ([, name]) => document.createTextNode(name)],
  [/\*\*\*([\s\S]+?)\*\*\*(?!\*)/, ([, text], names) => element("strong", {}, element("em", {}, ...inline(text, names)))],
  [/\*\*([\s\S]+?)\*\*(?!\*)/, ([, text], names) => element("strong", {}, ...inline(text, names))],
  [/__([\s\S]+?)__(?!_)/, ([, text], names) => element("u", {}, ...inline(text, names))],
  [/\*(?=\S)([^*]*?[^\s*])\*(?!\*)/, ([, text], names) => element("em", {}, ...inline(text, names))],
  [/\b_([^_]+)_\b/, ([, text], names) => element("em", {}, ...inline(text, names))],
  [/~~([\s\S]+?)~~(?!_)/, ([, text], names) => element("s", {}, ...inline(text, names))],
  [/\|\|([\s\S]+?)\|\|/, ([, text], names) => spoiler(...inline(text, names))],
];

function inline(text, names) {
  const nodes = [];
  let rest = text;
  while (rest) {
    let found = null;
    for (const [pattern, make] of RULES) {
      const match = pattern.exec(rest);
      if (match && (!found || match.index < found.match.index)) found = { match, make };
    }
    if (!found) break;
    if (found.match.index) nodes.push(document.createTextNode(rest.slice(0, found.match.index)));
    nodes.push(found.make(found.match, names));
    rest = rest.slice(found.match.index + found.match[0].length);
  }
  if (rest) nodes.push(document.createTextNode(rest));
  return nodes;
}
