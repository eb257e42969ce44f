// The topics of a chat: Telegram's, in groups and in private chats, and the threads of a Discord channel.

import { byId, element, icon, post } from "./dom.js";
import { say } from "./words.js";

// The chosen topic of each chat; "" is all of a Telegram chat, and on Discord the channel itself.
const chosen = new Map();
// How many messages of each topic the user has seen.
const seen = new Map();
let drawn = "";
let onChange = () => {};

export function startTopics(redraw) {
  onChange = redraw;
}

export function openTopic(place, id) {
  chosen.set(place.key, id);
  onChange();
}

// Opens a chat in this topic for as long as nobody has chosen another.
export function startIn(place, id) {
  if (!chosen.has(place.key)) chosen.set(place.key, id);
}

const byIdIn = (chat, id) => chat.topics?.list.find((topic) => topic.id === id);
export const topicName = (chat, id) => byIdIn(chat, id)?.name ?? say("a deleted topic");
// "messages": the topics' messages also stand together, as on Telegram; "threads": each has its own.
export const isIn = (message, topic, place) => (place.topics === "messages" && !topic) || message.topic === topic;

// The topic that is open in a chat, which is the chat itself once the topic is gone.
export function currentTopic(place, chat) {
  const id = chosen.get(place.key) ?? "";
  return byIdIn(chat, id) ? id : "";
}

// What the message box says in this topic.
export function hints(place, chat, id) {
  const topic = byIdIn(chat, id);
  if (!topic) return { hint: say(place.topics === "messages" && !place.group && chat.topics ? "Message, in a new topic" : "Message") };
  const { name } = topic;
  return { hint: say("Message in {name}", { name }), closed: topic.closed ? say("{name} is closed", { name }) : "" };
}

export function drawTopics(place, chat, who) {
  const strip = byId("topics");
  strip.hidden = !chat.topics;
  const current = currentTopic(place, chat);
  const topics = (chat.topics?.list ?? []).map((topic) => {
    const key = `${place.key} ${topic.id}`;
    const messages = chat.messages.filter((message) => message.topic === topic.id && !message.service && (!message.only || message.only === who)).length;
    const isShown = topic.id === current || isIn({ topic: topic.id }, current, place);
    if (isShown || !seen.has(key)) seen.set(key, messages);
    return { ...topic, unread: Math.max(0, messages - seen.get(key)) };
  });
  const text = JSON.stringify([place.key, topics, current, chat.topics?.creates]);
  if (strip.hidden || text === drawn) return;
  drawn = text;
  const focused = strip.contains(document.activeElement) ? document.activeElement.dataset.topic : null;
  const main = { id: "", name: place.topics === "threads" ? place.title : say("All"), unread: 0 };
  const items = [main, ...topics].map((topic) => element("li", {}, drawTab(place, topic, topic.id === current)));
  if (chat.topics.creates) {
    const what = chat.topics.creates;
    items.push(element("li", {}, element("button", { type: "button", class: "new", "data-topic": "+", onclick: () => askName(place, who, what) }, icon("M12 5v14M5 12h14"), say(`New ${what}`))));
  }
  strip.replaceChildren(element("ul", {}, ...items));
  if (focused) strip.querySelector(`[data-topic="${CSS.escape(focused)}"]`)?.focus();
  strip.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function drawTab(place, topic, isCurrent) {
  const dot = topic.id ? element("span", { class: "dot", "aria-hidden": "true" }, topic.icon || ([...topic.name][0] ?? "")) : null;
  // A colour of Telegram's is a number of 24 bits.
  if (dot && Number.isInteger(topic.color)) dot.style.background = `#${(topic.color & 0xffffff).toString(16).padStart(6, "0")}`;
  const state = topic.closed ? say("closed") : topic.archived ? say("archived") : "";
  const unread = topic.unread ? element("span", { class: "unread" }, String(topic.unread), element("span", { class: "visually-hidden" }, say(" new"))) : null;
  return element(
    "button",
    { type: "button", "data-topic": topic.id, "aria-current": isCurrent ? "true" : null, onclick: () => openTopic(place, topic.id) },
    dot,
    element("span", { class: "called", dir: "auto" }, topic.name),
    state ? element("small", {}, state) : null,
    unread,
  );
}

function askName(place, who, what) {
  const dialog = byId("modal");
  const field = element("input", { name: "name", maxlength: what === "thread" ? "100" : "128", required: true });
  const form = element(
    "form",
    { method: "dialog" },
    element("h2", { id: "modal-title" }, say(`New ${what}`)),
    element("label", {}, say("Name"), field),
    element("div", { class: "ends" }, element("button", { type: "button", onclick: () => dialog.close() }, say("Cancel")), element("button", { type: "submit", class: "primary" }, say("Start"))),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    dialog.close();
    const answer = await post(`act/${place.platform}/${what}`, { place: place.key, as: who, name: field.value.trim() });
    if (answer.ok && answer.here) openTopic(place, String(answer.thread ?? answer.thread_id));
    byId("say").focus();
  });
  dialog.replaceChildren(form);
  dialog.showModal();
}
