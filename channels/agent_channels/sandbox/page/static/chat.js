// One chat: its messages, kept in step with the platform, and what a person can do with each of them.

import { byId, element, icon, keepFolds, link, post, redraw, toast } from "./dom.js";
import { drawText, oneLine } from "./format.js";
import { replyTo } from "./composer.js";
import { drawRich } from "./rich.js";
import { isIn, openTopic, topicName } from "./topics.js";
import { STATES } from "./life.js";
import { say, sayLine } from "./words.js";

const EMOJI = ["👍", "❤", "🔥", "🎉", "👀", "🤔"];
// Discord: an interaction must be answered within three seconds.
const ANSWER_WAIT_S = 4;
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

export function drawChat(place, chat, who, lives, topic) {
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
    draw: (message, index) => drawMessage(place, message, who, lifeOf(message), follows(message, index), under(message, index)),
    replace: replaceKeepingFocus,
  });
  drawDrafts(place, chat, who, topic);
  toEnd(log);
  offerReply(place, visible, who);
}

// --- what the bot is still writing

const drawnDrafts = new Map();

function drawDrafts(place, chat, who, topic) {
  const drafts = (chat.drafts ?? []).filter((draft) => isIn(draft, topic, place));
  redraw(byId("drafts"), drawnDrafts, drafts, {
    key: (draft) => `${place.key} ${draft.id}`,
    describe: (draft) => [draft, who],
    draw: (draft) => {
      const text = element("div", { class: "text", dir: "auto" }, draft.text ? drawText(place.platform, draft) : element("p", { class: "thinking" }, say("Thinking…")));
      const stop = () => post(`act/${place.platform}/stop_draft`, { place: place.key, as: who, thread_id: draft.topic ? Number(draft.topic) : null });
      const button = draft.can_stop ? element("button", { type: "button", class: "stop", onclick: stop, "data-focus": "stop" }, say("Stop")) : null;
      return element("li", { class: "message draft", "aria-label": say("Your agent is writing") }, element("div", { class: "bubble" }, element("div", { class: "body" }, text)), button);
    },
    replace: replaceKeepingFocus,
  });
}

// --- a message that asks for a reply

const offered = new Set();

// Opens the reply to the newest message, once, if it asks for one and nobody is writing another.
function offerReply(place, visible, who) {
  const last = visible.at(-1);
  const name = last && `${place.key} ${who} ${last.id}`;
  if (!last?.force_reply || offered.has(name) || byId("say").value) return;
  offered.add(name);
  replyTo(last, false);
}

// Keeps the focus on the same control if the new node still has it, and otherwise on the message.
function replaceKeepingFocus(old, node) {
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

function drawMessage(place, message, who, life, follows, under) {
  if (message.service) return element("li", { class: "service" }, element("span", { dir: "auto" }, sayLine(message.service)), message.opens ? drawOpener(place, message.opens) : null);
  const body = element("div", { class: "body" });
  if (message.reply) body.append(element("p", { class: "quoted" }, element("b", {}, message.reply.name), oneLine(place.platform, { names: message.names, ...message.reply })));
  for (const file of message.files) body.append(drawFile(file));
  if (message.rich) {
    const tools = { file: drawFile, button: (key) => drawButton(place, message, who, key, key.label) };
    body.append(element("div", { class: "text" }, drawRich(message.rich, tools)));
  } else if (message.text) {
    body.append(element("div", { class: "text", dir: "auto" }, drawText(place.platform, message)));
  }
  // Discord shows the time beside the name, if there is one; Telegram in the last line.
  const besideName = place.platform === "discord" && !follows;
  const foot = drawFoot(message, life);
  if (!besideName) (body.querySelector(".text") ?? body).append(foot);
  // Nobody answers or marks a message that only one person has.
  const bubble = element("div", { class: "bubble" }, body, message.only && place.platform === "telegram" ? null : drawActions(place, message, who));
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
  if (message.grid.some((row) => row.length)) item.append(drawGrid(place, message, who));
  for (const menu of message.menus ?? []) item.append(drawMenu(place, message, menu, who));
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
  return element("a", { class: "file", href: file.url, download: file.name }, file.name, element("small", {}, fileSize(file.size)));
}

const fileSize = (size) => (size < 1000 ? say("{size} bytes", { size }) : `${(size / 1000).toFixed(size < 10000 ? 1 : 0)} kB`);

function drawReactions(reactions) {
  const counts = new Map();
  for (const emoji of reactions) counts.set(emoji, (counts.get(emoji) ?? 0) + 1);
  const items = [...counts].map(([emoji, count]) => element("li", {}, emoji, count > 1 ? ` ${count}` : ""));
  return element("ul", { class: "reactions", "aria-label": say("Reactions") }, ...items);
}

// --- reply and react

function drawActions(place, message, who) {
  const picker = element("div", { class: "picker", role: "group", "aria-label": say("React with"), hidden: true });
  const toggle = element("button", { type: "button", "aria-label": say("React to {name}", { name: message.name }), "aria-expanded": "false", "data-focus": "react" }, icon("M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16M9 10h.01M15 10h.01M8.8 14a4 4 0 0 0 6.4 0"));
  const show = (open) => {
    picker.hidden = !open;
    toggle.setAttribute("aria-expanded", String(open));
  };
  toggle.addEventListener("click", () => show(picker.hidden));
  for (const emoji of EMOJI) {
    const react = async () => {
      show(false);
      toggle.focus();
      await post(`act/${place.platform}/react`, { place: place.key, as: who, message_id: message.id, emoji });
    };
    picker.append(element("button", { type: "button", "aria-label": emoji, onclick: react }, emoji));
  }
  const reply = element("button", { type: "button", "aria-label": say("Reply to {name}", { name: message.name }), "data-focus": "reply", onclick: () => replyTo(message) }, icon("M9 7 4.5 11.5 9 16M5 11.5h8a6 6 0 0 1 6 6"));
  const actions = element("div", { class: "actions" }, reply, toggle, picker);
  actions.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !picker.hidden) {
      show(false);
      toggle.focus();
    }
  });
  return actions;
}

// --- buttons, menus and forms

function drawGrid(place, message, who) {
  const rows = message.grid.map((keys, row) => element("div", { class: "row" }, ...keys.map((key, col) => drawButton(place, message, who, key, row, col))));
  return element("div", { class: "grid", role: "group", "aria-label": say("Buttons") }, ...rows);
}

// `where` is the button's row and column in the grid, or none for a button in the text, which is known by its data.
function drawButton(place, message, who, key, ...where) {
  if (key.url) {
    const anchor = link(key.url, element("span", { dir: "auto" }, key.label), element("small", { class: "host" }, hostOf(key.url)));
    anchor.classList.add("key", "url");
    return anchor;
  }
  const [row, col] = where;
  const button = element("button", { type: "button", class: `key ${STYLES.has(key.style) ? key.style : ""}`, dir: "auto", disabled: key.disabled, "data-focus": where.join(".") }, key.label);
  if (key.copy) {
    button.classList.add("copy");
    button.prepend(icon("M9 9h10v10H9zM5 15V5h10"));
    button.title = say("Copies {text}", { text: key.copy });
    button.addEventListener("click", () => copy(key.copy));
    return button;
  }
  button.addEventListener("click", async () => {
    button.classList.add("busy");
    const which = key.data ? { data: key.data } : { row, col };
    const body = { place: place.key, as: who, message_id: message.id, ...which, wait: ANSWER_WAIT_S, what: key.label };
    showOutcome(place, await post(`act/${place.platform}/tap`, body), who);
    button.classList.remove("busy");
  });
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

function drawMenu(place, message, menu, who) {
  const options = menu.options.map((option) => element("option", { value: option.value }, option.label));
  const select = element("select", { "aria-label": say("Menu {name}", { name: menu.placeholder }), "data-focus": menu.id }, element("option", { value: "" }, menu.placeholder), ...options);
  const choose = element("button", { type: "submit", disabled: true, "data-focus": `${menu.id}!` }, say("Choose"));
  select.addEventListener("change", () => {
    choose.disabled = !select.value;
  });
  const form = element("form", { class: "menu" }, select, choose);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const label = select.selectedOptions[0].textContent;
    const body = { place: place.key, as: who, message_id: message.id, values: [select.value], what: label, wait: ANSWER_WAIT_S };
    showOutcome(place, await post("act/discord/select", body), who);
  });
  return form;
}

// Shows what the platform shows after a tap: a short notice, a form, or that nobody answered.
function showOutcome(place, result, who) {
  if (!result.ok || !result.here) return;
  const answer = result.answer;
  if (!answer) toast(say(place.platform === "discord" ? "This interaction failed" : "No answer yet: the button keeps spinning"), true);
  else if (answer.modal) openForm(place, result.interaction, answer.modal, who);
  else if (answer.text && place.platform === "telegram") toast(answer.text, answer.show_alert);
}

// Opens the form of a Discord modal.
function openForm(place, interaction, modal, who) {
  const dialog = byId("modal");
  const fields = modal.components.flatMap((outer) => outer.components ?? (outer.component ? [{ label: outer.label, ...outer.component }] : []));
  const inputs = fields.map((field) =>
    element("label", {}, field.label ?? field.custom_id, element("textarea", { name: field.custom_id, rows: field.style === 2 ? "3" : "1", maxlength: field.max_length, required: field.required !== false })),
  );
  const form = element(
    "form",
    { method: "dialog" },
    element("h2", { id: "modal-title" }, modal.title),
    ...inputs,
    element("div", { class: "ends" }, element("button", { type: "button", onclick: () => dialog.close() }, say("Cancel")), element("button", { type: "submit", class: "primary" }, say("Submit"))),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(form));
    dialog.close();
    showOutcome(place, await post("act/discord/submit", { place: place.key, as: who, interaction, values, wait: ANSWER_WAIT_S }), who);
  });
  dialog.replaceChildren(form);
  dialog.showModal();
}
