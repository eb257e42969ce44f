// What somebody says: text, a picture or file, in reply to a message; and the forms that Discord opens.

import { byId, element, post } from "/dom.js";
import { outcome } from "/chat.js";

const LARGEST = 10 * 1024 * 1024;

const state = { place: null, who: "", reply: null, file: null };
let drawnFor = "";

export const who = () => state.who;

export function setPlace(place, changed) {
  if (state.place?.key === place.key) return;
  state.place = place;
  state.who = place.actors.some((one) => one.handle === state.who) ? state.who : place.actors[0].handle;
  clear();
  const speaker = byId("speaker");
  speaker.hidden = place.actors.length < 2;
  const select = speaker.querySelector("select");
  select.replaceChildren(...place.actors.map((one) => element("option", { value: one.handle }, one.name)));
  select.value = state.who;
  select.onchange = () => {
    state.who = select.value;
    changed();
  };
}

export function suggest(place, empty, words) {
  const chips = byId("chips");
  const key = empty ? place.key : "";
  chips.hidden = !empty;
  if (drawnFor === key) return;
  drawnFor = key;
  chips.replaceChildren(
    ...words.map((word) => element("button", { type: "button", onclick: () => say(word) }, word)),
  );
}

export function replyTo(message) {
  state.reply = message;
  const place = byId("replying");
  const cancel = element("button", { type: "button", "aria-label": "Do not reply to it", onclick: () => stopReply() }, "×");
  place.replaceChildren(element("p", {}, element("b", {}, `Reply to ${message.name}`), message.text.slice(0, 90) || "picture"), cancel);
  place.hidden = false;
  byId("say").focus();
}

function stopReply() {
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
  const place = byId("attached");
  if (file.size > LARGEST) {
    place.replaceChildren(element("p", {}, `${file.name} is larger than 10 MB`));
    place.hidden = false;
    return;
  }
  state.file = { name: file.name || "picture.png", picture: file.type.startsWith("image/"), base64: await base64(file) };
  const drop = element("button", { type: "button", "aria-label": `Do not send ${file.name}`, onclick: () => clear() }, "×");
  place.replaceChildren(element("p", {}, element("b", {}, state.file.picture ? "Picture" : "File"), state.file.name), drop);
  place.hidden = false;
  byId("say").focus();
}

function base64(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result).split(",")[1] ?? "");
    reader.onerror = failed;
    reader.readAsDataURL(file);
  });
}

async function say(text) {
  const { place, file, reply } = state;
  if (!place || (!text.trim() && !file)) return;
  const body = { place: place.key, as: state.who };
  if (reply) body.reply_to = place.platform === "telegram" ? Number(reply.id) : reply.id;
  if (place.platform === "telegram") telegram(body, text, file);
  else discord(body, text, file, place);
  const box = byId("say");
  box.value = "";
  grow(box);
  clear();
  const answer = await post(`/act/${place.platform}/send`, body);
  if (!answer.ok && !box.value) {
    box.value = text;
    grow(box);
  }
}

function telegram(body, text, file) {
  if (!file) body.text = text;
  else Object.assign(body, { kind: file.picture ? "photo" : "document", base64: file.base64, file_name: file.name, caption: text });
}

function discord(body, text, file, place) {
  // As the real client does: a name that is typed becomes a mention.
  body.text = text.replaceAll(`@${place.bot}`, `<@${place.botId}>`);
  if (file) Object.assign(body, { file_name: file.name, base64: file.base64 });
}

function grow(box) {
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight, 140)}px`;
}

// --- forms

export function openForm(place, interaction, modal, as) {
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
    outcome(place, await post("/act/discord/submit", { place: place.key, as, interaction, values, wait: 4 }), as);
  });
  dialog.replaceChildren(form);
  dialog.showModal();
}

// --- set-up

export function startComposer() {
  const box = byId("say");
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    say(box.value);
  });
  box.addEventListener("input", () => grow(box));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      say(box.value);
    } else if (event.key === "Escape" && state.reply) stopReply();
  });
  box.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) {
      event.preventDefault();
      attach(event.clipboardData.files[0]);
    }
  });
  byId("file").addEventListener("change", (event) => attach(event.target.files[0]));
}
