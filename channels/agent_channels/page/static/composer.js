// The message box: text, a picture or file, in reply to a message.

import { byId, element, post } from "./dom.js";
import { oneLine } from "./format.js";
import { say } from "./words.js";

const LARGEST_FILE = 10 * 1024 * 1024;

const state = { place: null, who: "", topic: "", reply: null, file: null };
// What is typed and not sent yet, by chat.
const drafts = new Map();
let drawnSuggestions = "";

export const who = () => state.who;

export function setPlace(place, onSpeakerChange) {
  if (state.place?.key === place.key) return;
  if (state.place) drafts.set(state.place.key, byId("say").value);
  state.place = place;
  state.who = place.actors.some((actor) => actor.handle === state.who) ? state.who : place.actors[0].handle;
  clear();
  setText(drafts.get(place.key) ?? "");
  const speaker = byId("speaker");
  speaker.hidden = place.actors.length < 2;
  const select = speaker.querySelector("select");
  select.replaceChildren(...place.actors.map((actor) => element("option", { value: actor.handle }, actor.name)));
  select.value = state.who;
  select.onchange = () => {
    state.who = select.value;
    onSpeakerChange();
  };
}

// Offers messages to send while the chat is empty.
export function suggest(place, isEmpty, suggestions) {
  const chips = byId("chips");
  const key = isEmpty ? place.key : "";
  chips.hidden = !isEmpty;
  if (drawnSuggestions === key) return;
  drawnSuggestions = key;
  chips.replaceChildren(
    ...suggestions.map((text) => element("button", { type: "button", onclick: () => send(text) }, text)),
  );
}

// Says in which topic is written; "" is the chat itself. `closed` says why nobody writes there.
export function setTopic(topic, { hint, closed }) {
  state.topic = topic;
  const box = byId("say");
  box.placeholder = closed || hint;
  box.disabled = byId("send").disabled = byId("file").disabled = Boolean(closed);
}

export function replyTo(message, takesFocus = true) {
  state.reply = message;
  const box = byId("replying");
  const cancel = element("button", { type: "button", "aria-label": say("Cancel the reply"), onclick: () => cancelReply() }, "×");
  box.replaceChildren(element("p", {}, element("b", {}, say("Reply to {name}", { name: message.name })), oneLine(state.place.platform, message).slice(0, 90) || say("picture")), cancel);
  box.hidden = false;
  if (takesFocus || document.activeElement === document.body) byId("say").focus();
}

function cancelReply() {
  state.reply = null;
  byId("replying").hidden = true;
  byId("say").focus();
}

function clear() {
  state.reply = state.file = null;
  byId("replying").hidden = byId("attached").hidden = true;
  byId("file").value = "";
}

async function attach(file) {
  if (!file) return;
  const box = byId("attached");
  if (file.size > LARGEST_FILE) {
    box.replaceChildren(element("p", {}, say("{name} is larger than 10 MB", { name: file.name })));
    box.hidden = false;
    return;
  }
  state.file = { name: file.name || "picture.png", picture: file.type.startsWith("image/"), base64: await base64(file) };
  const remove = element("button", { type: "button", "aria-label": say("Remove {name}", { name: file.name }), onclick: () => clear() }, "×");
  box.replaceChildren(element("p", {}, element("b", {}, say(state.file.picture ? "Picture" : "File")), state.file.name), remove);
  box.hidden = false;
  byId("say").focus();
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",")[1] ?? "");
    reader.onerror = reject;
    reader.readAsDataURL(file);
  });
}

async function send(text) {
  const { place, file, reply } = state;
  if (!place || (!text.trim() && !file)) return;
  const body = { place: place.key, as: state.who };
  if (state.topic) body.thread_id = place.platform === "telegram" ? Number(state.topic) : state.topic;
  if (reply) body.reply_to = place.platform === "telegram" ? Number(reply.id) : reply.id;
  Object.assign(body, place.platform === "telegram" ? telegramBody(text, file) : discordBody(text, file, place));
  setText("");
  clear();
  const answer = await post(`act/${place.platform}/send`, body);
  if (answer.ok) return;
  if (state.place.key !== place.key) drafts.set(place.key, drafts.get(place.key) || text);
  else if (!byId("say").value) setText(text);
}

function telegramBody(text, file) {
  if (!file) return { text };
  return { kind: file.picture ? "photo" : "document", base64: file.base64, file_name: file.name, caption: text };
}

function discordBody(text, file, place) {
  // As the real client of Discord does: a typed name becomes a mention.
  const body = { text: place.botId ? text.replaceAll(`@${place.bot}`, `<@${place.botId}>`) : text };
  return file ? { ...body, file_name: file.name, base64: file.base64 } : body;
}

function setText(text) {
  const box = byId("say");
  box.value = text;
  fitHeight(box);
}

function fitHeight(box) {
  box.style.height = "auto";
  // While it is empty, a long hint would count.
  if (!box.value) return;
  // Its height holds its border too; without that, a scroll bar would appear.
  box.style.height = `${Math.min(box.scrollHeight + box.offsetHeight - box.clientHeight, 140)}px`;
}

export function startComposer() {
  const box = byId("say");
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    send(box.value);
  });
  box.addEventListener("input", () => fitHeight(box));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      send(box.value);
    } else if (event.key === "Escape" && state.reply) cancelReply();
  });
  box.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) {
      event.preventDefault();
      attach(event.clipboardData.files[0]);
    }
  });
  byId("file").addEventListener("change", (event) => attach(event.target.files[0]));
}
