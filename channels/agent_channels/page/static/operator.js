// What the operator can do, as at the terminal: let somebody in, invite, offer a message again, drop it. Each asks first.

import { PLATFORMS, byId, element, post, toast } from "./dom.js";
import { language, say } from "./words.js";

// Nothing of a dialog stays behind: an invitation is shown once.
byId("modal").addEventListener("close", () => {
  if (!byId("modal").open) byId("modal").replaceChildren();
});

export const letInButton = (channel, person) =>
  element("button", { type: "button", "data-focus": `let in ${person.id}`, onclick: () => letIn(channel, person) }, say("Let in…"));

export const inviteButton = (channel) =>
  element("button", { type: "button", "data-focus": `${channel} invite`, onclick: () => invite(channel) }, say("Invite somebody…"));

// Draws what can be done about a message's life; nothing for a turn.
export function drawActs(life) {
  const buttons = [];
  if (life.redeliver) buttons.push(element("button", { type: "button", "data-focus": `again ${life.id}`, onclick: () => redeliver(life) }, say("Offer again…")));
  if (life.drop) buttons.push(element("button", { type: "button", "data-focus": `drop ${life.id}`, class: "drop", onclick: () => drop(life) }, say("Drop…")));
  return buttons.length ? element("div", { class: "acts" }, ...buttons) : null;
}

function letIn(channel, person) {
  const field = element("input", { name: "code", required: true, maxlength: "20", autocomplete: "off", spellcheck: "false", autocapitalize: "characters" });
  ask({
    title: say("Let {name} in?", { name: person.name || person.id }),
    words: [say("They may then write to the agent. Ask them for the code that the bot has shown them: it says that they are who they claim to be. The code decides whom it lets in.")],
    field: element("label", {}, say("Code"), field),
    yes: say("Let in"),
    act: () => post("act/pair", { channel, language, code: field.value }),
  });
}

function redeliver(life) {
  ask({
    title: say("Offer this message again?"),
    words: [quoted(life), say("The agent gets it once more, marked as redelivered.")],
    yes: say("Offer again"),
    act: () => post("act/redeliver", { channel: life.platform, language, delivery_id: life.delivery_id }),
  });
}

function drop(life) {
  ask({
    title: say("Drop this message?"),
    words: [quoted(life), say("It counts as done, and is not offered to the agent any more.")],
    yes: say("Drop"),
    isHarmful: true,
    act: () => post("act/drop", { channel: life.platform, language, delivery_id: life.delivery_id }),
  });
}

const quoted = (life) => element("span", { class: "said", dir: "auto" }, say("{name}: {text}", { name: life.who || say("somebody"), text: (life.what || "…").slice(0, 200) }));

function invite(channel) {
  ask({
    title: say("Invite somebody on {platform}?", { platform: PLATFORMS[channel] ?? channel }),
    words: [say("This makes a code for one person, valid for ten minutes. Anyone who has it may write to the agent.")],
    yes: say("Make it"),
    act: () => post("act/invite", { channel, language }),
    then: showInvitation,
  });
}

function showInvitation(answer) {
  const dialog = byId("modal");
  const until = new Date(answer.expires_at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const how = say(answer.link ? "Scan it with the phone, or open the link there, and tap Start." : "Send it to the bot as a direct message.");
  dialog.replaceChildren(
    element(
      "form",
      { method: "dialog" },
      element("h2", { id: "modal-title" }, say("Invitation to @{bot}", { bot: answer.bot.username })),
      answer.qr ? drawCode(answer.qr) : null,
      element("p", { class: "invitation" }, element("code", {}, answer.invite)),
      element("p", {}, say("{how} Valid until {until}, for one person. It is shown only now.", { how, until })),
      answer.join_link ? element("p", {}, say("If you share no server with the bot yet, add it to one first: "), element("code", {}, answer.join_link)) : null,
      element("div", { class: "ends" }, element("button", { type: "submit", class: "primary" }, say("Done"))),
    ),
  );
  dialog.showModal();
}

function drawCode({ path, size }) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const dark = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
  svg.setAttribute("class", "qr");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", say("QR code of the link"));
  dark.setAttribute("d", path);
  svg.append(dark);
  return svg;
}

// Asks, acts if the answer is yes, and says what came of it.
function ask({ title, words, field = null, yes, isHarmful = false, act, then = (answer) => toast(answer.said) }) {
  const dialog = byId("modal");
  const submit = element("button", { type: "submit", class: isHarmful ? "primary harmful" : "primary" }, yes);
  const form = element(
    "form",
    { method: "dialog" },
    element("h2", { id: "modal-title" }, title),
    ...words.map((one) => element("p", {}, one)),
    field,
    element("div", { class: "ends" }, element("button", { type: "button", onclick: () => dialog.close() }, say("Cancel")), submit),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    const answer = await act();
    submit.disabled = false;
    if (!answer.ok || !answer.here) return;
    dialog.close();
    then(answer);
  });
  dialog.replaceChildren(form);
  dialog.showModal();
}
