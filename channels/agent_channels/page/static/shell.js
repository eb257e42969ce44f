// The page: listens to its server, keeps the parts it was sent, shows the list of chats and what of a narrow screen.

import { PLATFORMS, PROGRAM, byId, element } from "./dom.js";
import { initial, tint } from "./chat.js";
import { oneLine } from "./format.js";
import { say, sayLine } from "./words.js";

export const parts = {};
let currentKey = decodeURIComponent(location.hash.slice(1));
let drawPage = () => {};

export const places = () => parts.setting?.chats ?? [];
export const currentPlace = () => places().find((place) => place.key === currentKey) ?? places()[0];

export function preview(place, message) {
  if (message.service) return sayLine(message.service);
  const text = oneLine(place.platform, message) || (message.files[0]?.url ? say("picture") : message.files[0]?.name) || say("picture");
  return place.group ? `${message.name}: ${text}` : text;
}

// --- the list of chats

let drawnList = "";

// `chats` are places with `preview` and `unread`; `unread` are messages that nobody has seen, or what `counted` says.
export function drawList(platforms, chats, current, counted = say(" new")) {
  const text = JSON.stringify([platforms, chats, current?.key]);
  if (text === drawnList) return;
  drawnList = text;
  const focused = document.activeElement?.dataset?.chat;
  const sections = platforms.map((platform) => {
    const entries = chats.filter((chat) => chat.platform === platform).map((chat) => drawEntry(chat, current, counted));
    const none = entries.length ? null : element("p", { class: "none" }, say("no chats yet"));
    return element("section", { "data-platform": platform }, element("h2", {}, PLATFORMS[platform] ?? platform), element("ul", {}, ...entries), none);
  });
  byId("chats").replaceChildren(...sections);
  if (focused) byId("chats").querySelector(`[data-chat="${CSS.escape(focused)}"]`)?.focus();
}

function drawEntry(chat, current, counted) {
  const open = () => {
    currentKey = chat.key;
    history.replaceState(null, "", `#${encodeURIComponent(chat.key).replaceAll("%2F", "/")}`);
    showView("chat");
    follow();
    drawPage();
    (byId("say") ?? byId("log")).focus();
  };
  const face = element("span", { class: "face", "aria-hidden": "true", "data-who": chat.group ? "group" : null, "data-tint": chat.group ? null : tint(chat.person ?? chat.actors[0].handle) }, initial(chat.title));
  const unread = chat.unread ? element("span", { class: "unread" }, String(chat.unread), element("span", { class: "visually-hidden" }, counted)) : null;
  const button = element("button", { type: "button", "data-chat": chat.key, "aria-current": chat.key === current?.key ? "true" : null, onclick: open }, face, element("span", { class: "lines" }, element("b", { dir: "auto" }, chat.title), element("small", { dir: "auto" }, chat.preview.slice(0, 60))), unread);
  return element("li", {}, button);
}

// --- views: on a phone's width, one of the three columns is visible

export function showView(view) {
  document.body.dataset.view = view;
  for (const button of document.querySelectorAll("[data-show]")) {
    button.setAttribute("aria-pressed", String(button.dataset.show === view));
  }
}

// --- what the server sends

let source = null;
let followed = "";
let follow = () => {};

function connect(draw) {
  source?.close();
  const own = new EventSource(`events?chat=${encodeURIComponent(followed)}`);
  source = own;
  own.addEventListener("message", (event) => {
    Object.assign(parts, JSON.parse(event.data));
    byId("link").textContent = "";
    // The chat that is shown stays, with its dialog and its notice, when somebody writes in another one.
    currentKey = currentPlace()?.key ?? currentKey;
    follow();
    draw();
    document.body.dataset.ready = "yes";
  });
  own.addEventListener("error", () => {
    const ended = say("this page has ended: open the address that `{program}` printed last", { program: PROGRAM });
    byId("link").textContent = own.readyState === EventSource.CLOSED ? ended : say("not connected: is `{program}` running?", { program: PROGRAM });
  });
}

// Calls `draw` once everything is known, and after each change. `byChat`: only the chat that is open is sent.
export function listen(draw, { byChat = false } = {}) {
  drawPage = draw;
  for (const button of document.querySelectorAll("[data-show]")) {
    button.addEventListener("click", () => showView(button.dataset.show));
  }
  byId("chats").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const buttons = [...byId("chats").querySelectorAll("button")];
    buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length].focus();
  });
  follow = () => {
    if (!byChat || followed === currentKey) return;
    followed = currentKey;
    connect(draw);
  };
  window.addEventListener("hashchange", () => {
    currentKey = decodeURIComponent(location.hash.slice(1));
    follow();
    draw();
  });
  followed = byChat ? currentKey : "";
  connect(draw);
}
