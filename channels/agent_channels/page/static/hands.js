// What a person can do in a chat: reply, react, tap, choose, fill in a form, and stop what the bot is writing.

import { byId, element, icon, post, redraw, toast } from "./dom.js";
import { replaceKeepingFocus } from "./chat.js";
import { replyTo } from "./composer.js";
import { drawText } from "./format.js";
import { isIn } from "./topics.js";
import { say } from "./words.js";

const EMOJI = ["👍", "❤", "🔥", "🎉", "👀", "🤔"];
// Discord and Slack: an interaction must be answered within three seconds.
const ANSWER_WAIT_S = 4;

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

// `where` is the button's row and column in the grid, or none for a button in the text, which is known by its data.
function onTap(place, message, who, key, button, [row, col]) {
  button.addEventListener("click", async () => {
    button.classList.add("busy");
    const which = key.data ? { data: key.data } : { row, col };
    const body = { place: place.key, as: who, message_id: message.id, ...which, wait: ANSWER_WAIT_S, what: key.label };
    showOutcome(place, await post(`act/${place.platform}/tap`, body), who);
    button.classList.remove("busy");
  });
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
    showOutcome(place, await post(`act/${place.platform}/select`, body), who);
  });
  return form;
}

// Shows what the platform shows after a tap: a short notice, a form, or that nobody answered.
function showOutcome(place, result, who) {
  if (!result.ok || !result.here) return;
  const answer = result.answer;
  if (!answer) toast(say(place.platform === "telegram" ? "No answer yet: the button keeps spinning" : "This interaction failed"), true);
  else if (answer.modal) openForm(place, result.interaction, answer.modal, who);
  else if (answer.text && place.platform === "telegram") toast(answer.text, answer.show_alert);
}

// Opens the form of a modal.
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
    modal.words ? element("p", {}, modal.words) : null,
    ...inputs,
    element("div", { class: "ends" }, element("button", { type: "button", onclick: () => dialog.close() }, say("Cancel")), element("button", { type: "submit", class: "primary" }, say("Submit"))),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(form));
    dialog.close();
    showOutcome(place, await post(`act/${place.platform}/submit`, { place: place.key, as: who, interaction, values, wait: ANSWER_WAIT_S }), who);
  });
  dialog.replaceChildren(form);
  dialog.showModal();
}

export const hands = { drawDrafts, offerReply, drawActions, onTap, drawMenu };
