// Discord's Markdown, as its clients draw it: blocks by line, then the formatting inside a line.

import { codeBlock, element, link, spoiler } from "./dom.js";

export function markdown(text, names) {
  const fragment = document.createDocumentFragment();
  // Fences go first: nothing inside them is formatting. The parts are text, language, code, text, language, code ...
  const parts = text.split(/```(?:([\w+#.-]+)\n)?\n?([\s\S]+?)\n?```\n?/g);
  for (let index = 0; index < parts.length; index += 3) {
    if (parts[index]) fragment.append(...blocks(parts[index], names));
    if (index + 2 < parts.length) fragment.append(codeBlock(parts[index + 2], parts[index + 1]));
  }
  return fragment;
}

const HEADING = /^(#{1,3}) +(.+)$/;
const QUOTE = /^(>>>|>) (.*)$/;
const SMALL = /^-# +(.+)$/;
const ITEM = /^( *)([-*]|\d+\.) +(.+)$/;
const isItem = (line) => ITEM.test(line);
const isBlock = (line) => [HEADING, QUOTE, SMALL, ITEM].some((pattern) => pattern.test(line));

function blocks(text, names) {
  const nodes = [];
  const lines = text.replace(/^\n|\n$/g, "").split("\n");
  for (let index = 0; index < lines.length; index += 1) {
    const block = [lines[index]];
    const takeWhile = (belongs) => {
      while (index + 1 < lines.length && belongs(lines[index + 1])) block.push(lines[(index += 1)]);
    };
    const heading = HEADING.exec(lines[index]);
    const quote = QUOTE.exec(lines[index]);
    const small = SMALL.exec(lines[index]);
    if (heading) {
      nodes.push(element("strong", { class: `heading h${heading[1].length}` }, ...inline(heading[2], names)));
    } else if (small) {
      nodes.push(element("small", {}, ...inline(small[1], names)));
    } else if (quote) {
      const toEnd = quote[1] === ">>>";
      takeWhile((line) => toEnd || line.startsWith("> "));
      const quoted = block.map((line, number) => (number === 0 ? quote[2] : toEnd ? line : line.slice(2)));
      nodes.push(element("blockquote", {}, ...blocks(quoted.join("\n"), names)));
    } else if (isItem(lines[index])) {
      takeWhile(isItem);
      nodes.push(...list(block, names));
    } else {
      takeWhile((line) => !isBlock(line));
      // The line break before a block belongs to the block; an empty line is a line break of its own.
      const paragraph = block.join("\n") + (index + 1 < lines.length && !block.at(-1) ? "\n" : "");
      nodes.push(...inline(paragraph, names));
    }
  }
  return nodes;
}

function list(lines, names) {
  const roots = [];
  const open = [];
  for (const line of lines) {
    const [, indent, mark, text] = ITEM.exec(line);
    const depth = indent.length;
    const ordered = /\d/.test(mark);
    while (open.length && depth < open.at(-1).depth) open.pop();
    let current = open.at(-1);
    const item = element("li", {}, ...inline(text, names));
    if (!current || depth > current.depth || (current.ordered !== ordered && depth === current.depth)) {
      if (current && depth === current.depth) open.pop();
      const node = element(ordered ? "ol" : "ul", ordered ? { start: parseInt(mark, 10) } : {});
      const parent = open.at(-1)?.node.lastElementChild;
      if (parent) parent.append(node);
      else roots.push(node);
      current = { depth, ordered, node };
      open.push(current);
    }
    current.node.append(item);
  }
  return roots;
}

// The earliest match wins; of two matches at the same place, the rule that is listed first. A backslash takes the
// meaning of the character after it, also of one that would end the formatting it stands in.
const RULES = [
  [/\\([^0-9A-Za-z\s])/u, ([, char]) => document.createTextNode(char)],
  [/(`+)([\s\S]*?[^`])\1(?!`)/, ([, , text]) => element("code", {}, text.trim() || text)],
  [/\[((?:\\.|[^\]\\\n])+)\]\(<?(https?:\/\/[^\s)>]+)>?\)/, ([, label, href], names) => link(href, ...inline(label, names))],
  [/<(https?:\/\/[^\s>]+)>/, ([, href]) => link(href, href)],
  [/https?:\/\/[^\s<]+[^\s<.,:;"')\]*_~|]/, ([href]) => link(href, href)],
  [/<@!?(\d+)>/, ([, id], names) => element("span", { class: "mention" }, `@${names[id] ?? "somebody"}`)],
  [/<#(\d+)>/, () => element("span", { class: "mention" }, "#channel")],
  [/<a?(:\w+:)\d+>/, ([, name]) => document.createTextNode(name)],
  [/\*\*\*((?:\\[\s\S]|[^\\])+?)\*\*\*(?!\*)/, ([, text], names) => element("strong", {}, element("em", {}, ...inline(text, names)))],
  [/\*\*((?:\\[\s\S]|[^\\])+?)\*\*(?!\*)/, ([, text], names) => element("strong", {}, ...inline(text, names))],
  [/__((?:\\[\s\S]|[^\\])+?)__(?!_)/, ([, text], names) => element("u", {}, ...inline(text, names))],
  [/\*(?=\S)((?:\\[\s\S]|[^*\\])*?(?:\\[\s\S]|[^\s*\\]))\*(?!\*)/, ([, text], names) => element("em", {}, ...inline(text, names))],
  [/\b_((?:\\[\s\S]|[^_\\])+)_\b/, ([, text], names) => element("em", {}, ...inline(text, names))],
  [/~~((?:\\[\s\S]|[^\\])+?)~~(?!_)/, ([, text], names) => element("s", {}, ...inline(text, names))],
  [/\|\|((?:\\[\s\S]|[^\\])+?)\|\|/, ([, text], names) => spoiler(...inline(text, names))],
];

function inline(text, names) {
  const nodes = [];
  let rest = text;
  while (rest) {
    let first = null;
    for (const [pattern, draw] of RULES) {
      const match = pattern.exec(rest);
      if (match && (!first || match.index < first.match.index)) first = { match, draw };
    }
    if (!first) break;
    if (first.match.index) nodes.push(document.createTextNode(rest.slice(0, first.match.index)));
    nodes.push(first.draw(first.match, names));
    rest = rest.slice(first.match.index + first.match[0].length);
  }
  if (rest) nodes.push(document.createTextNode(rest));
  return nodes;
}
