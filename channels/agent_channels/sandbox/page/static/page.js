// The page: listens to the sandbox, keeps what it was told, and draws what has changed.

import { byId, element, post, toast } from "/dom.js";
import { drawChat } from "/chat.js";
import { setPlace, startComposer, suggest, who } from "/composer.js";
import { drawLives, drawServers } from "/life.js";

const TITLES = { telegram: "Telegram", discord: "Discord" };
const parts = {};
const seen = new Map();
let current = location.hash.slice(1);

const places = () => parts.setting?.chats ?? [];
const here = () => places().find((place) => place.key === current) ?? places()[0];
const lives = (place) => parts.life.filter((life) => life.chat === place.key);

function draw() {
  const place = here();
  if (!place) return;
  setPlace(place, draw);
  document.body.dataset.platform = place.platform;
  document.body.classList.toggle("attached", !parts.setting.scripted);
  drawList(place);
  drawHead(place);
  const chat = parts[`chat:${place.key}`];
  drawChat(place, chat, who(), lives(place));
  byId("typing").hidden = !chat.typing;
  suggest(place, !chat.messages.some((message) => !message.service), words(place));
  drawPairing(place, chat.code);
  drawServers(parts.servers);
  drawLives(lives(place));
}

function words(place) {
  const plain = ["Hello", "Deploy", "Rate", "Long answer"];
  if (place.about.startsWith("a stranger")) return ["May I come in?"];
  return place.group && place.platform === "telegram" ? plain.map((word) => `@${place.bot} ${word.toLowerCase()}`).concat("Said among ourselves") : plain;
}

let listText = "";
const plain = (text) => text.replace(/[*_`#>~|\\]+/g, "").trim();

function drawList(place) {
  const chats = places().map((one) => {
    const messages = parts[`chat:${one.key}`].messages;
    const last = messages.at(-1);
    if (one.key === place.key || !seen.has(one.key)) seen.set(one.key, messages.length);
    const fresh = Math.max(0, messages.length - seen.get(one.key));
    return { ...one, fresh, last: last ? last.service || plain(last.text) || "picture" : one.about };
  });
  const text = JSON.stringify([chats, place.key]);
  if (text === listText) return;
  listText = text;
  const had = document.activeElement?.dataset?.chat;
  const groups = Object.entries(TITLES).map(([platform, title]) =>
    element("section", { "data-platform": platform }, element("h2", {}, title), element("ul", {}, ...chats.filter((one) => one.platform === platform).map((one) => entry(one, place)))),
  );
  byId("chats").replaceChildren(...groups);
  if (had) byId("chats").querySelector(`[data-chat="${CSS.escape(had)}"]`)?.focus();
}

function entry(one, place) {
  const go = () => {
    current = one.key;
    history.replaceState(null, "", `#${one.key}`);
    show("chat");
    draw();
    byId("log").scrollTop = byId("log").scrollHeight;
    byId("say").focus();
  };
  const face = element("span", { class: "face", "aria-hidden": "true", "data-who": one.group ? "group" : one.actors[0].handle }, one.title.replace("#", "").slice(0, 1).toUpperCase());
  const news = one.fresh ? element("span", { class: "fresh" }, String(one.fresh), element("span", { class: "visually-hidden" }, " new")) : null;
  const made = element("button", { type: "button", "data-chat": one.key, "aria-current": one.key === place.key ? "true" : null, onclick: go }, face, element("span", { class: "lines" }, element("b", {}, one.title), element("small", {}, one.last.slice(0, 60))), news);
  return element("li", {}, made);
}

function drawHead(place) {
  byId("title").textContent = place.group ? place.title : `Your agent`;
  const names = place.actors.map((one) => one.name).join(" and ");
  byId("about").textContent = place.group ? `${TITLES[place.platform]}, ${place.about}` : `${TITLES[place.platform]}, seen by ${names} (${place.about})`;
  const avatar = byId("avatar");
  avatar.dataset.who = place.group ? "group" : "bot";
  avatar.textContent = place.group ? place.title.replace("#", "").slice(0, 1).toUpperCase() : "";
}

let pairingText = null;

function drawPairing(place, code) {
  const box = byId("pairing");
  box.hidden = !code;
  const text = `${place.key} ${code}`;
  if (!code || text === pairingText) return;
  pairingText = text;
  const approve = async () => {
    const answer = await post("/approve", { channel: place.platform, code });
    if (answer.ok) toast(answer.said);
    byId("say").focus();
  };
  box.replaceChildren(
    element("p", {}, "You are the operator too. At the terminal this is ", element("code", {}, `channels access ${place.platform} pair ${code}`)),
    element("button", { type: "button", onclick: approve }, "Let in"),
  );
}

// On a phone's width one of the three columns is shown.
function show(view) {
  document.body.dataset.view = view;
  for (const button of document.querySelectorAll("[data-show]")) {
    button.setAttribute("aria-pressed", String(button.dataset.show === view));
  }
}

for (const button of document.querySelectorAll("[data-show]")) {
  button.addEventListener("click", () => show(button.dataset.show));
}
byId("chats").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const all = [...byId("chats").querySelectorAll("button")];
  all[(all.indexOf(document.activeElement) + step + all.length) % all.length].focus();
});
window.addEventListener("hashchange", () => {
  current = location.hash.slice(1);
  draw();
});

startComposer();

const source = new EventSource("/events");
source.addEventListener("message", (event) => {
  for (const [name, part] of Object.entries(JSON.parse(event.data))) parts[name] = part;
  byId("link").textContent = "";
  draw();
  document.body.dataset.ready = "yes";
});
source.addEventListener("error", () => {
  byId("link").textContent = "not connected: is `channels sandbox` running?";
});
