// One chat: its messages, kept in step with the platform, and what a person can do with each of them.

import { byId, element, icon, link, post, redraw, toast } from "./dom.js";
import { drawText, oneLine } from "./format.js";
import { replyTo } from "./composer.js";
import { STATES } from "./life.js";

const EMOJI = ["👍", "❤", "🔥", "🎉", "👀", "🤔"];
// Discord: an interaction must be answered within three seconds.
const ANSWER_WAIT_S = 4;
// Messages of one person within this time are drawn as one block.
const BLOCK_S = 300;
// How near to the end of the log, in pixels, somebody who scrolls down is back at it.
const FOLLOW_PX = 80;
// The states in which only the platform has the message.
const NOT_JOURNALLED = new Set(["waiting", "unheard"]);

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

export function drawChat(place, chat, who, lives) {
  const log = byId("log");
  if (drawnKey !== place.key) {
    drawnKey = place.key;
    following = true;
    log.classList.toggle("group", place.group);
    drawn.clear();
    log.replaceChildren();
    // A screen reader must not read out the whole chat that was just opened.
    log.setAttribute("aria-live", "off");
    setTimeout(() => log.removeAttribute("aria-live"), 500);
  }
  const visible = chat.messages.filter((message) => !message.only || message.only === who);
  const last = visible.at(-1);
  if (last && last.by === who && !drawn.has(last.id)) following = true;
  const byMessage = new Map(lives.filter((life) => life.message).map((life) => [life.message, life]));
  const lifeOf = (message) => (message.bot ? null : byMessage.get(message.id));
  const follows = (message, index) => {
    const previous = visible[index - 1];
    return Boolean(previous && !previous.service && previous.by === message.by && message.at - previous.at < BLOCK_S && !message.reply && !message.service);
  };
  redraw(log, drawn, visible, {
    key: (message) => message.id,
    describe: (message, index) => [message, lifeOf(message)?.state, who, follows(message, index)],
    draw: (message, index) => drawMessage(place, message, who, lifeOf(message), follows(message, index)),
    replace: replaceKeepingFocus,
  });
  toEnd(log);
}

// Keeps the focus on the same control if the new node still has it, and otherwise on the message.
function replaceKeepingFocus(old, node) {
  const hadFocus = old.contains(document.activeElement);
  const name = hadFocus ? document.activeElement.dataset.focus : null;
  old.replaceWith(node);
  if (!hadFocus) return;
  const same = name && node.querySelector(`[data-focus="${CSS.escape(name)}"]`);
  if (same) same.focus();
  else {
    node.tabIndex = -1;
    node.focus();
  }
}

function drawMessage(place, message, who, life, follows) {
  if (message.service) return element("li", { class: "service" }, message.service);
  const body = element("div", { class: "body" });
  if (message.reply) body.append(element("p", { class: "quoted" }, element("b", {}, message.reply.name), oneLine(place.platform, { names: message.names, ...message.reply })));
  for (const file of message.files) body.append(drawFile(file));
  if (message.text) {
    body.append(element("div", { class: "text", dir: "auto" }, drawText(place.platform, message)));
  }
  // Discord shows the time beside the name, if there is one; Telegram in the last line.
  const besideName = place.platform === "discord" && !follows;
  const foot = drawFoot(message, life);
  if (!besideName) (body.querySelector(".text") ?? body).append(foot);
  const bubble = element("div", { class: "bubble" }, body, drawActions(place, message, who));
  body.addEventListener("click", () => bubble.classList.toggle("touched"));
  const classes = ["message", message.by === who && "mine", message.bot && "bot", follows && "follows"].filter(Boolean);
  const item = element(
    "li",
    { class: classes.join(" "), "data-id": message.id },
    element("span", { class: "face", "aria-hidden": "true", "data-who": message.bot ? "bot" : message.by }, message.bot ? "" : message.name.slice(0, 1)),
    element("span", { class: "name" }, message.name, message.bot ? element("i", {}, "bot") : null, besideName ? foot : null),
    bubble,
  );
  if (message.grid.some((row) => row.length)) item.append(drawGrid(place, message, who));
  for (const menu of message.menus ?? []) item.append(drawMenu(place, message, menu, who));
  if (message.reactions.length) item.append(drawReactions(message.reactions));
  if (message.only) item.append(element("p", { class: "only" }, "Only you can see this"));
  return item;
}

function drawFoot(message, life) {
  const time = new Date(message.at * 1000);
  const foot = element("span", { class: "foot" });
  if (message.edited) foot.append(element("span", {}, "edited"));
  foot.append(element("time", { datetime: time.toISOString() }, time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })));
  if (life) {
    const ticks = NOT_JOURNALLED.has(life.state) ? "✓" : "✓✓";
    const meaning = STATES[life.state] ?? life.state;
    foot.append(element("span", { class: `ticks ${life.state}`, role: "img", "aria-label": meaning, title: meaning }, ticks));
  }
  return foot;
}

function drawFile(file) {
  if (file.picture) {
    const size = file.width && file.height ? { width: file.width, height: file.height } : {};
    return element("img", { class: "picture", src: file.url, alt: `Picture: ${file.name}`, loading: "lazy", ...size });
  }
  return element("a", { class: "file", href: file.url, download: file.name }, file.name, element("small", {}, fileSize(file.size)));
}

const fileSize = (size) => (size < 1000 ? `${size} bytes` : `${(size / 1000).toFixed(size < 10000 ? 1 : 0)} kB`);

function drawReactions(reactions) {
  const counts = new Map();
  for (const emoji of reactions) counts.set(emoji, (counts.get(emoji) ?? 0) + 1);
  const items = [...counts].map(([emoji, count]) => element("li", {}, emoji, count > 1 ? ` ${count}` : ""));
  return element("ul", { class: "reactions", "aria-label": "Reactions" }, ...items);
}

// --- reply and react

function drawActions(place, message, who) {
  const picker = element("div", { class: "picker", role: "group", "aria-label": "React with", hidden: true });
  const toggle = element("button", { type: "button", "aria-label": `React to ${message.name}`, "aria-expanded": "false", "data-focus": "react" }, icon("M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16M9 10h.01M15 10h.01M8.8 14a4 4 0 0 0 6.4 0"));
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
  const reply = element("button", { type: "button", "aria-label": `Reply to ${message.name}`, "data-focus": "reply", onclick: () => replyTo(message) }, icon("M9 7 4.5 11.5 9 16M5 11.5h8a6 6 0 0 1 6 6"));
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
  return element("div", { class: "grid", role: "group", "aria-label": "Buttons" }, ...rows);
}

function drawButton(place, message, who, key, row, col) {
  if (key.url) {
    const anchor = link(key.url, key.label);
    anchor.classList.add("key", "url");
    return anchor;
  }
  const button = element("button", { type: "button", class: `key ${key.style ?? ""}`, dir: "auto", disabled: key.disabled, "data-focus": `${row}.${col}` }, key.label);
  button.addEventListener("click", async () => {
    button.classList.add("busy");
    const body = { place: place.key, as: who, message_id: message.id, row, col, wait: ANSWER_WAIT_S, what: key.label };
    showOutcome(place, await post(`act/${place.platform}/tap`, body), who);
    button.classList.remove("busy");
  });
  return button;
}

function drawMenu(place, message, menu, who) {
  const options = menu.options.map((option) => element("option", { value: option.value }, option.label));
  const select = element("select", { "aria-label": `Menu ${menu.placeholder}`, "data-focus": menu.id }, element("option", { value: "" }, menu.placeholder), ...options);
  const choose = element("button", { type: "submit", disabled: true, "data-focus": `${menu.id}!` }, "Choose");
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
  if (!answer) toast(place.platform === "discord" ? "This interaction failed" : "No answer yet: the button keeps spinning", true);
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
    element("div", { class: "ends" }, element("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), element("button", { type: "submit", class: "primary" }, "Submit")),
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
