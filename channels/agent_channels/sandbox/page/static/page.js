// The page: listens to the sandbox, keeps the parts it was sent, and draws what has changed.

import { byId, element, post, setOpenChat, toast } from "./dom.js";
import { drawChat, initial, startLog, tint } from "./chat.js";
import { setPlace, setTopic, startComposer, suggest, who } from "./composer.js";
import { oneLine } from "./format.js";
import { drawLives, drawServers } from "./life.js";
import { currentTopic, drawTopics, hints, isIn, startTopics } from "./topics.js";
import { say, sayLine, translatePage } from "./words.js";

const PLATFORMS = { telegram: "Telegram", discord: "Discord" };
const parts = {};
// How many messages of each chat the user has seen.
const seen = new Map();
let currentKey = location.hash.slice(1);

const places = () => parts.setting?.chats ?? [];
const currentPlace = () => places().find((place) => place.key === currentKey) ?? places()[0];
const livesIn = (place) => parts.life.filter((life) => life.chat === place.key);

function draw() {
  const place = currentPlace();
  if (!place) return;
  setPlace(place, draw);
  setOpenChat(`${place.key} ${who()}`);
  document.body.dataset.platform = place.platform;
  document.body.classList.toggle("attached", !parts.setting.scripted);
  drawList(place);
  drawHead(place);
  const chat = parts[`chat:${place.key}`];
  const topic = currentTopic(place, chat);
  setTopic(topic, hints(place, chat, topic));
  drawTopics(place, chat, who());
  drawChat(place, chat, who(), livesIn(place), topic);
  byId("typing").firstElementChild.hidden = !chat.typing.some((one) => isIn({ topic: one }, topic, place));
  suggest(place, !chat.messages.some((message) => !message.service), suggestions(place));
  drawPairing(place, chat.code);
  drawServers(parts.servers);
  drawLives(livesIn(place));
}

function suggestions(place) {
  if (place.about.startsWith("a stranger")) return ["May I come in?"];
  const texts = ["Hello", "Fix the tests", "Deploy", "Rate"];
  // In a Telegram group the bot gets only messages that mention it, unless it is an administrator.
  if (!place.about.includes("@")) return texts;
  return [...texts.map((text) => `@${place.bot} ${text.toLowerCase()}`), "Just between us"];
}

// --- the list of chats

let drawnList = "";
const preview = (place, message) => {
  if (message.service) return sayLine(message.service);
  const text = oneLine(place.platform, message) || say("picture");
  return place.group ? `${message.name}: ${text}` : text;
};

function drawList(current) {
  const chats = places().map((place) => {
    const messages = parts[`chat:${place.key}`].messages.filter((message) => !message.only);
    const last = messages.at(-1);
    if (place.key === current.key || !seen.has(place.key)) seen.set(place.key, messages.length);
    const unread = Math.max(0, messages.length - seen.get(place.key));
    return { ...place, unread, preview: last ? preview(place, last) : sayLine(place.about) };
  });
  const text = JSON.stringify([chats, current.key]);
  if (text === drawnList) return;
  drawnList = text;
  const focused = document.activeElement?.dataset?.chat;
  const sections = Object.entries(PLATFORMS).map(([platform, title]) => {
    const entries = chats.filter((chat) => chat.platform === platform).map((chat) => drawEntry(chat, current));
    return element("section", { "data-platform": platform }, element("h2", {}, title), element("ul", {}, ...entries));
  });
  byId("chats").replaceChildren(...sections);
  if (focused) byId("chats").querySelector(`[data-chat="${CSS.escape(focused)}"]`)?.focus();
}

function drawEntry(chat, current) {
  const open = () => {
    currentKey = chat.key;
    history.replaceState(null, "", `#${chat.key}`);
    showView("chat");
    draw();
    byId("say").focus();
  };
  const face = element("span", { class: "face", "aria-hidden": "true", "data-who": chat.group ? "group" : null, "data-tint": chat.group ? null : tint(chat.actors[0].handle) }, initial(chat.title));
  const unread = chat.unread ? element("span", { class: "unread" }, String(chat.unread), element("span", { class: "visually-hidden" }, say(" new"))) : null;
  const button = element("button", { type: "button", "data-chat": chat.key, "aria-current": chat.key === current.key ? "true" : null, onclick: open }, face, element("span", { class: "lines" }, element("b", {}, chat.title), element("small", {}, chat.preview.slice(0, 60))), unread);
  return element("li", {}, button);
}

// --- the head of the chat, and pairing

function drawHead(place) {
  byId("title").textContent = place.group ? place.title : say("Your agent");
  const names = place.actors.map((actor) => actor.name).join(say(" and "));
  const platform = PLATFORMS[place.platform];
  byId("about").textContent = say(place.group ? "{platform}, {about}" : "{platform}, seen by {names} ({about})", { platform, names, about: sayLine(place.about) });
  const avatar = byId("avatar");
  avatar.dataset.who = place.group ? "group" : "bot";
  avatar.textContent = place.group ? initial(place.title) : "";
}

let drawnPairing = "";

function drawPairing(place, code) {
  const box = byId("pairing");
  box.hidden = !code;
  const text = `${place.key} ${code}`;
  if (!code || text === drawnPairing) return;
  drawnPairing = text;
  const approve = async () => {
    const answer = await post("approve", { channel: place.platform, code });
    if (answer.ok && answer.here) toast(answer.said);
    byId("say").focus();
  };
  box.replaceChildren(
    element("p", {}, say("You are also the operator. In the terminal, this is "), element("code", {}, `channels access ${place.platform} pair ${code}`)),
    element("button", { type: "button", onclick: approve }, say("Let in")),
  );
}

// --- views: on a phone's width, one of the three columns is visible

function showView(view) {
  document.body.dataset.view = view;
  for (const button of document.querySelectorAll("[data-show]")) {
    button.setAttribute("aria-pressed", String(button.dataset.show === view));
  }
}

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
window.addEventListener("hashchange", () => {
  currentKey = location.hash.slice(1);
  draw();
});

translatePage();
startComposer();
startLog();
startTopics(draw);

const source = new EventSource("events");
source.addEventListener("message", (event) => {
  Object.assign(parts, JSON.parse(event.data));
  byId("link").textContent = "";
  draw();
  document.body.dataset.ready = "yes";
});
source.addEventListener("error", () => {
  const ended = say("this sandbox has ended: open the address that `channels sandbox` printed last");
  byId("link").textContent = source.readyState === EventSource.CLOSED ? ended : say("not connected: is `channels sandbox` running?");
});
