// The page of the running channels: their chats, only to be read, beside the state of each channel and the life of each
// message, with what the operator can do about it.

import { PLATFORMS, byId, element, setOpenChat } from "./dom.js";
import { drawChat, initial, startLog, tint } from "./chat.js";
import { drawLives } from "./life.js";
import { drawActs, inviteButton, letInButton } from "./operator.js";
import { currentPlace, drawList, listen, parts, places, preview } from "./shell.js";
import { currentTopic, drawTopics, startTopics } from "./topics.js";
import { language, say, sayLine, translatePage } from "./words.js";

const EMPTY = { messages: [], topics: null };
const NOBODY = { key: "", platform: "", title: say("No chats yet"), about: "a chat appears here with its first message", person: "", group: false };

function draw() {
  const place = currentPlace() ?? NOBODY;
  const chat = parts[`chat:${place.key}`] ?? EMPTY;
  setOpenChat(place.key);
  document.body.dataset.platform = place.platform;
  document.body.classList.toggle("flat", !["", "telegram"].includes(place.platform));
  const folder = parts.setting.project;
  byId("project").textContent = folder.split(/[\\/]/).filter(Boolean).at(-1) ?? folder;
  byId("project").title = folder;
  drawChats(place);
  drawHead(place);
  drawTopics(place, chat, place.person);
  const topic = currentTopic(place, chat);
  const lives = parts.life.filter((life) => life.chat === place.key);
  drawChat(place, chat, place.person, lives, topic);
  drawChannels();
  const unplaced = parts.life.filter((life) => !life.chat && (!place.platform || life.platform === place.platform));
  drawLives([...lives, ...unplaced].sort((a, b) => a.at - b.at), drawActs);
}

function drawChats(current) {
  const chats = places().map((place) => ({ ...place, unread: place.waiting, preview: place.last ? preview(place, place.last) : sayLine(place.about) }));
  drawList(Object.keys(parts.channels), chats, current, say(" waiting"));
}

function drawHead(place) {
  byId("title").textContent = place.title;
  byId("about").textContent = [PLATFORMS[place.platform] ?? place.platform, sayLine(place.about)].filter(Boolean).join(say(", "));
  const avatar = byId("avatar");
  avatar.textContent = place.key ? initial(place.title) : "";
  avatar.dataset.who = place.key ? (place.group ? "group" : "person") : "bot";
  avatar.dataset.tint = place.person ? tint(place.person) : "";
}

// --- the channels: what `channels status` says, who waits to be let in, and who may write

let drawnChannels = "";
// What stands there at once of the status: what waits, who hears it, and what the operator should know. The rest unfolds.
const FIRST = new Set(["messages", "delivery", "restarted", "working", "blocked by", "plain text", "remark", "note"]);
const LIGHTS = { problem: "needs attention", running: "the bot is read", idle: "nobody reads the bot" };
// Whether a user opened or closed a part, by its name.
const opened = new Map();

function drawChannels() {
  const text = JSON.stringify(parts.channels);
  if (text === drawnChannels) return;
  drawnChannels = text;
  const box = byId("channels");
  const focused = box.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  box.replaceChildren(...Object.entries(parts.channels).map(([name, channel]) => drawChannel(name, channel)));
  if (focused) box.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
}

function drawChannel(name, channel) {
  const state = channel.problem ? "problem" : channel.reading ? "running" : "idle";
  // Each line comes with its name, by which it is found here, and in the reader's language.
  const lines = channel.lines[language].filter(([name]) => name !== "problem");
  const [first, rest] = [true, false].map((isFirst) => lines.filter(([name]) => FIRST.has(name) === isFirst));
  return element(
    "section",
    { class: `channel ${state}`, "data-channel": name, "aria-label": PLATFORMS[name] ?? name },
    element("h2", {}, PLATFORMS[name] ?? name, channel.bot ? element("small", {}, `@${channel.bot}`) : null, element("span", { class: "light", role: "status" }, say(LIGHTS[state]))),
    channel.problem ? element("p", { class: "problem" }, channel.problem[language]) : null,
    first.length ? drawFacts(first) : null,
    channel.pending.length ? drawPending(name, channel.pending) : null,
    rest.length ? foldable(`${name} facts`, say("More of the status"), drawFacts(rest)) : null,
    foldable(`${name} people`, say("People: {count}", { count: channel.paired.length }), drawPeople(name, channel)),
  );
}

function drawFacts(lines) {
  return element("dl", {}, ...lines.map(([, term, text]) => element("div", {}, element("dt", {}, term), element("dd", { dir: "auto" }, text))));
}

function drawPending(name, pending) {
  const items = pending.map((person) => element("li", {}, drawPerson(person, say("since {time}", { time: clock(person.since) })), letInButton(name, person)));
  return element("div", { class: "pending" }, element("h3", {}, say("Waiting to be let in")), element("ul", {}, ...items));
}

function drawPeople(name, channel) {
  const items = channel.paired.map((person) => element("li", {}, drawPerson(person, person.approver ? say("approver") : "")));
  const list = items.length ? element("ul", {}, ...items) : element("p", { class: "none" }, say("nobody is let in yet"));
  return element("div", { class: "people" }, list, inviteButton(name));
}

function drawPerson(person, note) {
  const name = person.name || person.username || person.id;
  const more = [person.username ? `@${person.username}` : "", `id ${person.id}`, note].filter(Boolean).join(say(", "));
  return element("p", { dir: "auto" }, element("b", {}, name), element("small", {}, more));
}

const clock = (iso) => new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

function foldable(name, title, ...children) {
  const summary = element("summary", { "data-focus": name }, title);
  const details = element("details", { open: opened.get(name) }, summary, ...children);
  summary.addEventListener("click", () => opened.set(name, !details.open));
  return details;
}

translatePage();
startLog();
startTopics(draw);
listen(draw, { byChat: true });
