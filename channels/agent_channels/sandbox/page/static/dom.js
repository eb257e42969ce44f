// Small helpers. Text enters the page as text only: nothing here parses HTML.

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
    if (!answer.ok && here) toast(`${answer.error}. ${answer.next}`, true);
    return { ...answer, here };
  } catch {
    toast("The sandbox does not answer. Start it again with `channels sandbox`.", true);
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
  const node = element("span", { class: "spoiler", role: "button", tabindex: "0", "aria-label": "Spoiler, show it" }, ...children);
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
  const pre = element("pre", { tabindex: "0", "aria-label": language ? `Code in ${language}` : "Code" }, element("code", {}, text));
  if (language) pre.dataset.language = language;
  return pre;
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
