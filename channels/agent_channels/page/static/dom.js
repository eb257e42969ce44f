// Small helpers. Text enters the page as text only: nothing here parses HTML.

import { say } from "./words.js";

export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const byId = (id) => document.getElementById(id);

export const PLATFORMS = { telegram: "Telegram", discord: "Discord", slack: "Slack" };
// The command that serves this page.
export const PROGRAM = document.documentElement.dataset.program;

let openChat = "";

// Says which chat is open, and for whom. A notice or a form belongs to the chat where it came up, and ends with it.
export function setOpenChat(name) {
  if (openChat === name) return;
  openChat = name;
  byId("toast").classList.remove("shown");
  byId("modal").close();
}

// Posts an action, shows an error if it fails, and resolves to the answer; its `here` tells whether the chat is still
// open in which the action was done.
export async function post(path, body) {
  const chat = openChat;
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const answer = await response.json();
    const here = chat === openChat;
    if (!answer.ok && here) toast([answer.error, answer.next].filter(Boolean).join(". "), true);
    return { ...answer, here };
  } catch {
    toast(say("`{program}` does not answer. Start it again.", { program: PROGRAM }), true);
    return { ok: false, here: chat === openChat };
  }
}

let hideTimer = 0;

export function toast(text, isError = false) {
  const box = byId("toast");
  box.textContent = text;
  box.className = isError ? "error shown" : "shown";
  clearTimeout(hideTimer);
  hideTimer = setTimeout(() => box.classList.remove("shown"), isError ? 8000 : 4000);
}

// A link to a web address; any other address stays text.
export function link(href, ...children) {
  let safe = null;
  try {
    const url = new URL(href);
    if (["http:", "https:"].includes(url.protocol)) safe = url.href;
  } catch {
    // Not an address.
  }
  if (!safe) return element("span", {}, ...children);
  return element("a", { href: safe, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}

export function spoiler(...children) {
  const node = element("span", { class: "spoiler", role: "button", tabindex: "0", "aria-label": say("Spoiler, show it") }, ...children);
  const show = () => {
    node.classList.add("open");
    for (const name of ["role", "tabindex", "aria-label"]) node.removeAttribute(name);
  };
  node.addEventListener("click", show);
  node.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      show();
    }
  });
  return node;
}

export function codeBlock(text, language) {
  const pre = element("pre", { tabindex: "0", "aria-label": language ? say("Code in {language}", { language }) : say("Code") }, element("code", {}, text));
  if (language) pre.dataset.language = language;
  return pre;
}

// --- times, in the zone of who reads

const STYLES = {
  t: { hour: "2-digit", minute: "2-digit" },
  T: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  d: { day: "2-digit", month: "2-digit", year: "2-digit" },
  D: { day: "numeric", month: "long", year: "numeric" },
  w: { weekday: "long" },
};
const UNITS = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const ELAPSED = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

function elapsed(seconds) {
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS.at(-1);
  return ELAPSED.format(Math.trunc(seconds / size), unit);
}

const untilThen = (node) => elapsed((new Date(node.dateTime) - Date.now()) / 1000);

// A moment as these letters say: "r" how long until then or since, else any of w, d, D, t and T; without letters `text`
// as it is. Anything that is not a time stays `text`.
export function moment(seconds, letters, text) {
  const then = new Date(Number(seconds) * 1000);
  if (Number.isNaN(then.getTime())) return element("span", {}, text);
  const node = element("time", { datetime: then.toISOString(), title: then.toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" }) });
  const options = Object.assign({}, ...[...letters].filter((letter) => Object.hasOwn(STYLES, letter)).map((letter) => STYLES[letter]));
  if (letters === "r") {
    node.dataset.elapsed = "";
    node.textContent = untilThen(node);
  } else node.textContent = Object.keys(options).length ? then.toLocaleString(undefined, options) : text;
  return node;
}

setInterval(() => {
  for (const node of document.querySelectorAll("time[data-elapsed]")) node.textContent = untilThen(node);
}, 15_000);

// --- what is folded

const CLIPPED = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.parentElement?.dataset.fold !== "open") target.parentElement?.classList.toggle("whole", target.scrollHeight <= target.clientHeight + 1);
  }
});

// A quote of which the first three lines are shown until somebody opens it.
export function foldedQuote(...children) {
  const inner = element("div", { class: "fold" }, ...children);
  const more = element("button", { type: "button", class: "more", "data-focus": "fold" });
  const quote = element("blockquote", { "data-fold": "" }, inner, more);
  const show = (open) => {
    quote.dataset.fold = open ? "open" : "";
    more.setAttribute("aria-expanded", String(open));
    more.textContent = say(open ? "Show less" : "Show more");
  };
  const set = (open) => {
    quote.dataset.touched = "";
    show(open);
  };
  more.addEventListener("click", () => set(quote.dataset.fold !== "open"));
  // A tap anywhere opens it, and so does the keyboard when it reaches a link in what is hidden.
  inner.addEventListener("click", () => getSelection().isCollapsed && set(true));
  inner.addEventListener("focusin", () => set(true));
  quote.addEventListener("fold", (event) => set(event.detail));
  show(false);
  CLIPPED.observe(inner);
  return quote;
}

// What somebody opened or closed in a message stays so when the message is drawn again.
export function keepFolds(old, node) {
  const isOpen = (fold) => fold.open ?? fold.dataset.fold === "open";
  [...old.querySelectorAll("[data-fold]")].forEach((fold, index) => {
    const same = node.querySelectorAll("[data-fold]")[index];
    if ("touched" in fold.dataset && same?.tagName === fold.tagName) same.dispatchEvent(new CustomEvent("fold", { detail: isOpen(fold) }));
  });
}

export function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

// Redraws a keyed list with as few changes as possible: a node is replaced only when the JSON of its item changes.
// `drawn` maps keys to {text, node} between calls. `insert` is called for new nodes, `replace` for changed ones.
export function redraw(list, drawn, items, { key, describe, draw, replace }) {
  const keys = new Set(items.map(key));
  for (const [known, { node }] of drawn) {
    if (!keys.has(known)) {
      node.remove();
      drawn.delete(known);
    }
  }
  items.forEach((item, index) => {
    const text = JSON.stringify(describe(item, index));
    const known = drawn.get(key(item));
    let node = known?.node;
    if (known?.text !== text) {
      node = draw(item, index);
      if (known) replace(known.node, node);
      drawn.set(key(item), { text, node });
    }
    if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
  });
}
