// One chat: its messages, kept in step with what the server sends.

import { byId, element, icon, keepFolds, link, redraw, toast } from "./dom.js";
import { drawText, oneLine } from "./format.js";
import { drawRich } from "./rich.js";
import { isIn, openTopic, topicName } from "./topics.js";
import { STATES } from "./life.js";
import { say, sayLine } from "./words.js";

// Messages of one person within this time are drawn as one block.
const BLOCK_S = 300;
// How near to the end of the log, in pixels, somebody who scrolls down is back at it.
const FOLLOW_PX = 80;
// The states in which only the platform has the message.
const NOT_JOURNALLED = new Set(["waiting", "unheard"]);

// People are told apart by colour too, always by the same one.
const TINTS = 7;
export const tint = (handle) => String([...handle].reduce((sum, char) => (sum * 31 + char.codePointAt(0)) % 9973, 7) % TINTS);
export const initial = (name) => ([...name.replace("#", "").trim()][0] ?? "?").toUpperCase();

const drawn = new Map();
let drawnKey = "";
// The log follows what is new until the user scrolls up, and again once they are back at the end.
let following = true;

const fromEnd = (log) => log.scrollHeight - log.scrollTop - log.clientHeight;

function toEnd(log) {
  if (following) log.scrollTop = log.scrollHeight;
}

export function startLog() {
  const log = byId("log");
  let top = 0;
  let height = 0;
  log.addEventListener("scroll", () => {
    // A picture that has loaded moves the end away, which is not the user's doing: only scrolling up is.
    if (log.scrollTop < top) following = fromEnd(log) < 2;
    else if (fromEnd(log) < FOLLOW_PX) following = true;
    top = log.scrollTop;
  });
  log.addEventListener("load", () => toEnd(log), true);
  // What stands last in view stays in view when the message box grows or the window shrinks.
  new ResizeObserver(() => {
    if (!following && height && log.clientHeight) log.scrollTop += height - log.clientHeight;
    height = log.clientHeight || height;
    toEnd(log);
  }).observe(log);
}

// Draws what `who` sees of a chat. `hands` is what they can do there (hands.js); without it the chat is only read.
export function drawChat(place, chat, who, lives, topic, hands = null) {
  const log = byId("log");
  const key = `${place.key} ${topic}`;
  if (drawnKey !== key) {
    drawnKey = key;
    following = true;
    log.classList.toggle("group", place.group);
    drawn.clear();
    log.replaceChildren();
    // A screen reader must not read out the whole chat that was just opened.
    log.setAttribute("aria-live", "off");
    setTimeout(() => log.removeAttribute("aria-live"), 500);
  }
  const visible = chat.messages.filter((message) => (!message.only || message.only === who) && isIn(message, topic, place));
  const last = visible.at(-1);
  if (last && last.by === who && !drawn.has(last.id)) following = true;
  const byMessage = new Map(lives.filter((life) => life.message).map((life) => [life.message, life]));
  const lifeOf = (message) => (message.bot ? null : byMessage.get(message.id));
  const follows = (message, index) => {
    const previous = visible[index - 1];
    return Boolean(previous && !previous.service && previous.by === message.by && message.at - previous.at < BLOCK_S && !message.reply && !message.service && previous.topic === message.topic);
  };
  // Where messages of all topics stand together, a line says where another topic's begin.
  const under = (message, index) => (place.topics === "messages" && !topic && message.topic && message.topic !== visible[index - 1]?.topic ? topicName(chat, message.topic) : "");
  redraw(log, drawn, visible, {
    key: (message) => message.id,
    describe: (message, index) => [message, lifeOf(message)?.state, who, follows(message, index), under(message, index)],
    draw: (message, index) => drawMessage(place, message, who, hands, lifeOf(message), follows(message, index), under(message, index)),
    replace: replaceKeepingFocus,
  });
  hands?.drawDrafts(place, chat, who, topic);
  toEnd(log);
  hands?.offerReply(place, visible, who);
}

// Keeps the focus on the same control if the new node still has it, and otherwise on the message.
export function replaceKeepingFocus(old, node) {
  const hadFocus = old.contains(document.activeElement);
  const name = hadFocus ? document.activeElement.dataset.focus : null;
  old.replaceWith(node);
  keepFolds(old, node);
  if (!hadFocus) return;
  const same = name && node.querySelector(`[data-focus="${CSS.escape(name)}"]`);
  if (same) same.focus();
  else {
    node.tabIndex = -1;
    node.focus();
  }
}

function drawMessage(place, message, who, hands, life, follows, under) {
  if (message.service) return element("li", { class: "service" }, element("span", { dir: "auto" }, sayLine(message.service)), message.opens ? drawOpener(place, message.opens) : null);
  const body = element("div", { class: "body" });
  if (message.reply) body.append(element("p", { class: "quoted" }, element("b", {}, message.reply.name), oneLine(place.platform, { names: message.names, ...message.reply })));
  if (message.forward) body.append(element("p", { class: "quoted" }, element("b", {}, say("Forwarded")), element("span", { dir: "auto" }, say("from {name}", { name: message.forward }))));
  for (const file of message.files) body.append(drawFile(file));
  if (message.rich) {
    const tools = { file: drawFile, button: (key) => drawButton(place, message, who, hands, key, key.label) };
    body.append(element("div", { class: "text" }, drawRich(message.rich, tools)));
  } else if (message.text) {
    body.append(element("div", { class: "text", dir: "auto" }, drawText(place.platform, message)));
  }
  // Telegram shows the time in the last line, the others beside the name, if there is one.
  const besideName = place.platform !== "telegram" && !follows;
  const foot = drawFoot(message, life);
  if (!besideName) (body.querySelector(".text") ?? body).append(foot);
  // Nobody answers or marks a message that only one person has.
  const bubble = element("div", { class: "bubble" }, body, message.only && place.platform === "telegram" ? null : hands?.drawActions(place, message, who));
  body.addEventListener("click", () => bubble.classList.toggle("touched"));
  const classes = ["message", message.by === who && "mine", message.bot && "bot", follows && "follows", message.only && "private"].filter(Boolean);
  const item = element(
    "li",
    { class: classes.join(" "), "data-id": message.id },
    under ? element("button", { type: "button", class: "under", "data-focus": "topic", onclick: () => openTopic(place, message.topic) }, element("span", { class: "visually-hidden" }, say("Topic ")), under) : null,
    drawFace(message),
    element("span", { class: "name", dir: "auto", "data-tint": message.bot ? null : tint(message.by) }, message.name, message.bot ? element("i", {}, say("bot")) : null, besideName ? foot : null),
    bubble,
  );
  if (message.grid.some((row) => row.length)) item.append(drawGrid(place, message, who, hands));
  for (const menu of message.menus ?? []) item.append(hands.drawMenu(place, message, menu, who));
  if (message.outcome) item.append(element("p", { class: "outcome", dir: "auto" }, sayLine(message.outcome)));
  if (message.reactions.length) item.append(drawReactions(message.reactions));
  if (message.opens) item.append(drawOpener(place, message.opens));
  if (message.only) item.append(element("p", { class: "only" }, icon("M3 12s3.5-6 9-6 9 6 9 6-3.5 6-9 6-9-6-9-6M12 14a2 2 0 1 0 0-4 2 2 0 0 0 0 4"), say("Only you can see this")));
  return item;
}

const drawFace = (message) => element("span", { class: "face", "aria-hidden": "true", "data-who": message.bot ? "bot" : null, "data-tint": message.bot ? null : tint(message.by) }, message.bot ? "" : initial(message.name));

// The way from a channel's message to the thread that belongs to it.
const drawOpener = (place, thread) => element("button", { type: "button", class: "opener", dir: "auto", "data-focus": "thread", onclick: () => openTopic(place, thread.id) }, element("span", { class: "visually-hidden" }, say("Open the thread ")), thread.name, element("span", { "aria-hidden": "true" }, " ›"));

function drawFoot(message, life) {
  const time = new Date(message.at * 1000);
  const foot = element("span", { class: "foot", dir: "ltr" });
  if (message.edited) foot.append(element("span", {}, say("edited")));
  foot.append(element("time", { datetime: time.toISOString() }, time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })));
  if (life) {
    const ticks = NOT_JOURNALLED.has(life.state) ? "✓" : "✓✓";
    const meaning = say(STATES[life.state] ?? life.state);
    foot.append(element("span", { class: `ticks ${life.state}`, role: "img", "aria-label": meaning, title: meaning }, ticks));
  }
  return foot;
}

function drawFile(file) {
  if (file.picture) {
    const size = file.width && file.height ? { width: file.width, height: file.height } : {};
    return element("img", { class: "picture", src: file.url, alt: say("Picture: {name}", { name: file.name }), loading: "lazy", ...size });
  }
  if (!file.url) return element("p", { class: "file" }, file.name);
  return element("a", { class: "file", href: file.url, download: file.name }, file.name, element("small", {}, fileSize(file.size)));
}

const fileSize = (size) => (size < 1000 ? say("{size} bytes", { size }) : `${(size / 1000).toFixed(size < 10000 ? 1 : 0)} kB`);

function drawReactions(reactions) {
  const counts = new Map();
  for (const emoji of reactions) counts.set(emoji, (counts.get(emoji) ?? 0) + 1);
  const items = [...counts].map(([emoji, count]) => element("li", {}, emoji, count > 1 ? ` ${count}` : ""));
  return element("ul", { class: "reactions", "aria-label": say("Reactions") }, ...items);
}

// --- buttons

function drawGrid(place, message, who, hands) {
  const rows = message.grid.map((keys, row) => element("div", { class: "row" }, ...keys.map((key, col) => drawButton(place, message, who, hands, key, row, col))));
  return element("div", { class: "grid", role: "group", "aria-label": say("Buttons") }, ...rows);
}

// `where` is the button's row and column in the grid, or none for a button in the text, which is known by its data.
function drawButton(place, message, who, hands, key, ...where) {
  if (key.url) {
    const anchor = link(key.url, element("span", { dir: "auto" }, key.label), element("small", { class: "host" }, hostOf(key.url)));
    anchor.classList.add("key", "url");
    return anchor;
  }
  const classes = ["key", STYLES.has(key.style) && key.style, key.chosen && "chosen"].filter(Boolean);
  const button = element("button", { type: "button", class: classes.join(" "), dir: "auto", disabled: key.disabled, "data-focus": where.join(".") }, key.label);
  if (key.chosen) button.prepend(element("span", { class: "visually-hidden" }, say("chosen: ")));
  if (key.copy) {
    button.classList.add("copy");
    button.prepend(icon("M9 9h10v10H9zM5 15V5h10"));
    button.title = say("Copies {text}", { text: key.copy });
    button.addEventListener("click", () => copy(key.copy));
    return button;
  }
  hands?.onTap(place, message, who, key, button, where);
  return button;
}

const STYLES = new Set(["primary", "secondary", "success", "danger", "link"]);

function hostOf(address) {
  try {
    return new URL(address).host;
  } catch {
    return "";
  }
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast(say("Copied: {text}", { text }));
  } catch {
    toast(say("The browser does not let this page copy. Copy it by hand: {text}", { text }), true);
  }
}
