// The page's own words in the reader's language: the one that ?lang= names, else the first that the browser asks for.
// What is said in a chat, and by the programs behind the page, stays as it is.

// A language tag begins with one of these; other readers of Chinese would read simplified characters. A table is
// fetched only for those who read it.
const TABLES = [[/^zh[-_](hant|tw|hk|mo)/i, "zh-TW", () => import("./words_zh_tw.js")], [/^en/i, "en", () => ({ TEXTS: {} })]];

function choose() {
  const asked = new URLSearchParams(location.search).get("lang");
  for (const tag of [asked, ...navigator.languages]) {
    const found = TABLES.find(([begins]) => begins.test(tag ?? ""));
    if (found) return found;
  }
  return TABLES.at(-1);
}

const [, language, fetched] = choose();
const { TEXTS: table } = await fetched();

export { language };

// An English text in the reader's language, with its values in place of {names}.
export function say(text, values = {}) {
  return (table[text] ?? text).replace(/\{(\w+)\}/g, (whole, name) => (Object.hasOwn(values, name) ? String(values[name]) : whole));
}

// Lines that come with their values from the program behind the page.
const LINES = [
  "{name} joined", "{name} left", "{name} created the topic {topic}", "{name} renamed the topic to {topic}", "{name} changed the topic's icon",
  "{name} closed the topic", "{name} reopened the topic", "{name} started a thread.", "a group; write @{bot} for the bot to hear you",
  "waits to be offered: {why}", "waits to be offered again: {why}", "received, and not sorted yet: {why}", "by {mode}, {count} times in all",
  "{outcome}, chosen by {names}", "{outcome}, chosen", "answered by {names}", "waits for an answer; tapped by {names}", "by {who}",
  "to {project}", "in {project} only", "{count} steps", "{count} files",
];
const PATTERNS = LINES.map((line) => [line, new RegExp(`^${line.replace(/[.]/g, "\\.").replace(/\{(\w+)\}/g, "(?<$1>.+?)")}$`, "s")]);

export function sayLine(text) {
  if (Object.hasOwn(table, text)) return table[text];
  for (const [line, pattern] of PATTERNS) {
    const found = pattern.exec(text);
    if (found) return say(line, found.groups);
  }
  return text;
}

const NAMED = ["aria-label", "title", "placeholder"];

// Puts the words of the document into the reader's language.
export function translatePage() {
  document.documentElement.lang = language;
  document.title = say(document.title);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.nodeType === Node.TEXT_NODE) {
      const text = node.nodeValue.trim();
      if (text) node.nodeValue = node.nodeValue.replace(text, () => say(text));
    } else {
      for (const name of NAMED) if (node.hasAttribute(name)) node.setAttribute(name, say(node.getAttribute(name)));
    }
  }
}
