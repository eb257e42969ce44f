// One chat: its messages, kept in step with what the platform shows, and what can be done to each of them.

import { byId, element, link, post, toast } from "/dom.js";
import { entities } from "/format.js";
import { markdown } from "/markdown.js";
import { openForm, replyTo } from "/composer.js";

const EMOJI = ["👍", "❤", "🔥", "🎉", "👀", "🤔"];
// Discord: an interaction must be answered within three seconds.
const TAP_WAIT_S = 4;
const TICKS = {
  waiting: ["✓", "kept by the platform"],
  answered: ["✓✓", "answered"],
};

const drawn = new Map();
let shownKey = "";

export function drawChat(place, chat, who, lives) {
  const log = byId("log");
  if (shownKey !== place.key) {
    shownKey = place.key;
    drawn.clear();
    log.replaceChildren();
    // Going to another chat is no news that would have to be read out.
    log.setAttribute("aria-live", "off");
    setTimeout(() => log.removeAttribute("aria-live"), 500);
  }
  const low = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  const visible = chat.messages.filter((message) => !message.only || message.only === who);
  const states = new Map(lives.filter((life) => life.message).map((life) => [life.message, life]));
  const ids = new Set(visible.map((message) => message.id));
  for (const [id, one] of drawn) {
    if (!ids.has(id)) {
      one.node.remove();
      drawn.delete(id);
    }
  }
  visible.forEach((message, at) => {
    const life = message.bot ? null : states.get(message.id);
    const before = visible[at - 1];
    const follows = before && before.by === message.by && message.at - before.at < 300 && !message.reply && !message.service;
    const text = JSON.stringify([message, life?.state, who, follows]);
    const known = drawn.get(message.id);
    if (known?.text === text) return;
    const node = draw(place, message, who, life, follows);
    if (known) replace(known.node, node);
    else log.insertBefore(node, log.children[at] ?? null);
    drawn.set(message.id, { text, node });
  });
  if (low) log.scrollTop = log.scrollHeight;
}

// A message that changes keeps the focus where it was, as far as what had it is still there.
function replace(old, node) {
  const had = old.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  const within = old.contains(document.activeElement);
  old.replaceWith(node);
  if (!within) return;
  const same = had && node.querySelector(`[data-focus="${CSS.escape(had)}"]`);
  if (same) same.focus();
  else {
    node.tabIndex = -1;
    node.focus();
  }
}

function draw(place, message, who, life, follows) {
  const mine = message.by === who;
  if (message.service) return element("li", { class: "service" }, message.service);
  const body = element("div", { class: "body" });
  if (message.reply) body.append(element("p", { class: "quoted" }, element("b", {}, message.reply.name), message.reply.text));
  for (const file of message.files) body.append(drawFile(file));
  if (message.text) {
    const text = place.platform === "telegram" ? entities(message.text, message.entities) : markdown(message.text, message.names);
    body.append(element("div", { class: "text", dir: "auto" }, text));
  }
  // Discord writes the time beside the name, where there is one; Telegram into the last line.
  const beside = place.platform === "discord" && !follows;
  const time = foot(message, life);
  if (!beside) (body.querySelector(".text") ?? body).append(time);
  body.addEventListener("click", () => bubble.classList.toggle("touched"));
  const bubble = element("div", { class: "bubble" }, body, actions(place, message, who));
  const item = element("li", { class: `message${mine ? " mine" : ""}${message.bot ? " bot" : ""}${follows ? " follows" : ""}` });
  item.dataset.id = message.id;
  item.append(
    element("span", { class: "face", "aria-hidden": "true", "data-who": message.bot ? "bot" : message.by }, initial(message)),
    element("span", { class: "name" }, message.name, message.bot ? element("i", {}, "bot") : null, beside ? time : null),
    bubble,
  );
  if (message.grid.some((row) => row.length)) item.append(grid(place, message, who));
  for (const menu of message.menus ?? []) item.append(drawMenu(place, message, menu, who));
  if (message.reactions.length) item.append(reactions(message.reactions));
  if (message.only) item.append(element("p", { class: "only" }, "Only you can see this"));
  return item;
}

const initial = (message) => (message.bot ? "" : message.name.slice(0, 1));

function foot(message, life) {
  const time = new Date(message.at * 1000);
  const made = element("span", { class: "foot" });
  if (message.edited) made.append(element("span", {}, "edited"));
  made.append(element("time", { datetime: time.toISOString() }, time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })));
  if (life) {
    const [ticks, words] = TICKS[life.state] ?? ["✓✓", "journalled"];
    made.append(element("span", { class: `ticks ${life.state}`, role: "img", "aria-label": words, title: words }, ticks));
  }
  return made;
}

function drawFile(file) {
  if (file.picture) {
    const size = file.width && file.height ? { width: file.width, height: file.height } : {};
    return element("img", { class: "picture", src: file.url, alt: `Picture: ${file.name}`, loading: "lazy", ...size });
  }
  return element("a", { class: "file", href: file.url, download: file.name }, file.name, element("small", {}, bytes(file.size)));
}

const bytes = (size) => (size < 1000 ? `${size} bytes` : `${(size / 1000).toFixed(size < 10000 ? 1 : 0)} kB`);

function reactions(list) {
  const counted = new Map();
  for (const one of list) counted.set(one, (counted.get(one) ?? 0) + 1);
  const shown = [...counted].map(([emoji, count]) => element("li", {}, emoji, count > 1 ? ` ${count}` : ""));
  return element("ul", { class: "reactions", "aria-label": "Reactions" }, ...shown);
}

// --- what can be done to a message

function actions(place, message, who) {
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
      await post(`/act/${place.platform}/react`, { place: place.key, as: who, message_id: message.id, emoji });
    };
    picker.append(element("button", { type: "button", "aria-label": emoji, onclick: react }, emoji));
  }
  const reply = element("button", { type: "button", "aria-label": `Reply to ${message.name}`, "data-focus": "reply", onclick: () => replyTo(message) }, icon("M9 7 4.5 11.5 9 16M5 11.5h8a6 6 0 0 1 6 6"));
  const made = element("div", { class: "actions" }, reply, toggle, picker);
  made.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !picker.hidden) {
      show(false);
      toggle.focus();
    }
  });
  return made;
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

function grid(place, message, who) {
  const rows = message.grid.map((row, r) => element("div", { class: "row" }, ...row.map((key, c) => button(place, message, who, key, r, c))));
  return element("div", { class: "grid", role: "group", "aria-label": "Buttons" }, ...rows);
}

function button(place, message, who, key, row, col) {
  if (key.url) {
    const made = link(key.url, key.label);
    made.classList.add("key", "url");
    return made;
  }
  const made = element("button", { type: "button", class: `key ${key.style ?? ""}`, dir: "auto", disabled: key.disabled, "data-focus": `${row}.${col}` }, key.label);
  made.addEventListener("click", async () => {
    made.classList.add("busy");
    const body = { place: place.key, as: who, message_id: message.id, row, col, wait: TAP_WAIT_S, what: key.label };
    outcome(place, await post(`/act/${place.platform}/tap`, body), who);
    made.classList.remove("busy");
  });
  return made;
}

function drawMenu(place, message, menu, who) {
  const options = menu.options.map((one) => element("option", { value: one.value }, one.label));
  const select = element("select", { "aria-label": `Menu ${menu.placeholder}`, "data-focus": menu.id }, element("option", { value: "" }, menu.placeholder), ...options);
  const choose = element("button", { type: "submit", disabled: true, "data-focus": `${menu.id}!` }, "Choose");
  select.addEventListener("change", () => {
    choose.disabled = !select.value;
  });
  const form = element("form", { class: "menu" }, select, choose);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const shown = select.selectedOptions[0].textContent;
    const body = { place: place.key, as: who, message_id: message.id, values: [select.value], what: shown, wait: TAP_WAIT_S };
    outcome(place, await post("/act/discord/select", body), who);
  });
  return form;
}

// What the platform shows after a tap: a short notice, a form, or that nobody answered.
export function outcome(place, answer, who) {
  if (!answer.ok) return;
  if (!answer.answer) {
    toast(place.platform === "discord" ? "This interaction failed" : "No answer yet: the button goes on spinning", true);
    return;
  }
  if (answer.answer.modal) openForm(place, answer.interaction, answer.answer.modal, who);
  else if (answer.answer.text && place.platform === "telegram") toast(answer.answer.text, answer.answer.show_alert);
}
