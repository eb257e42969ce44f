// Beside the chat: the channel servers, the stages that each message has reached, and the turns of the agent.

import { PLATFORMS, byId, element, post, redraw } from "./dom.js";
import { say, sayLine } from "./words.js";

export const STATES = {
  waiting: "not read by a server yet",
  elsewhere: "read by a server that keeps its journal in another folder",
  hub: "kept by the hub until its project is there",
  undecided: "kept by the hub until the person chooses a project",
  unheard: "the platform does not show this to the bot (privacy mode)",
  dropped: "journalled; not for the agent",
  handled: "handled by the server",
  raw: "journalled",
  held: "held until its sender is paired",
  fetching: "journalled; its picture is being downloaded",
  ready: "journalled; not offered yet",
  offering: "being offered",
  offered: "offered; the agent is working",
  asked: "journalled; it answers a question",
  answered: "answered",
  failed: "could not be read; kept for inspection",
};
// What became of a turn.
const TURNS = {
  running: "at work",
  stopping: "stopping: ends at its next step",
  done: "ended",
  stopped: "stopped",
  failed: "failed: the agent's host could not go on",
  interrupted: "interrupted at the terminal",
  gone: "the agent's session ended",
};
// The states in which nothing of a message has been read.
const NOT_READ = new Set(["raw", "failed"]);
const NEWEST = 40;

let drawnServers = "";

export function drawServers(servers) {
  const text = JSON.stringify(servers);
  if (text === drawnServers) return;
  drawnServers = text;
  const focused = document.activeElement?.dataset?.server;
  byId("servers").replaceChildren(...Object.entries(servers).map(([name, server]) => drawServer(name, server)));
  if (focused) byId("servers").querySelector(`[data-server="${focused}"]`)?.focus();
}

function drawServer(name, server) {
  const running = server.state === "running";
  const action = server.pid ? "kill" : "start";
  const label = say(server.pid ? "Kill" : "Start");
  const what = { platform: PLATFORMS[server.channel], project: server.project };
  const of = server.project
    ? server.pid ? "Kill the server of {project}" : "Start the server of {project}"
    : server.pid ? "Kill the {platform} channel server" : "Start the {platform} channel server";
  const named = say(of, what);
  const button = element("button", { type: "button", class: action, disabled: server.state === "starting", "data-server": name, "aria-label": named, onclick: () => post("server", { server: name, do: action }) }, label);
  const doing = server.project ? (server.works ? "works, process {pid}" : "waits for messages, process {pid}") : "process {pid}";
  const title = server.project ? element("b", {}, say("Project {project}", server)) : element("b", {}, element("code", {}, `channels serve ${name}`));
  const state = running ? say(doing, server) : server.state === "starting" ? say("starting") : say("not running: {why}", { why: server.error || say("stopped") });
  return element("div", { class: `server ${server.state}`, "data-channel": name }, element("p", {}, title, element("span", { role: "status" }, state)), button);
}

const drawn = new Map();

// `acts` draws what can be done about a life; without it nothing can.
export function drawLives(lives, acts = null) {
  const list = byId("lives");
  if (!lives.length) {
    drawn.clear();
    if (!list.querySelector(".none")) list.replaceChildren(element("li", { class: "none" }, say("No messages yet. Each message appears here with its stages: received, journalled, offered, answered; and each longer turn of the agent with its steps. Commands and permissions are handled by the server.")));
    return;
  }
  list.querySelector(".none")?.remove();
  redraw(list, drawn, lives.slice(-NEWEST).reverse(), {
    key: (life) => life.id,
    describe: (life) => life,
    draw: (life) => (life.turn ? drawTurn(life) : drawLife(life, acts)),
    replace: (old, node) => old.replaceWith(node),
  });
}

function drawLife(life, acts) {
  const item = element("li", { class: `life ${life.state}`, "data-life": life.state });
  item.append(element("p", { class: "what" }, element("b", {}, life.who), life.project ? element("small", { class: "project" }, life.project) : null, element("span", { dir: "auto" }, (NOT_READ.has(life.state) ? say(life.what) : life.what) || "…")));
  item.append(element("ol", { class: "stages" }, ...life.stages.map((stage, index) => drawStage(stage, life.stages.slice(0, index).findLast((one) => one.at), life))));
  if (life.state !== "answered") item.append(element("p", { class: "state" }, life.why ? sayLine(life.why) : say(STATES[life.state] ?? life.state)));
  const doing = acts?.(life);
  if (doing) item.append(doing);
  return item;
}

function drawTurn(turn) {
  const item = element("li", { class: `life turn ${turn.turn}`, "data-turn": turn.turn });
  item.append(element("p", { class: "what" }, element("b", {}, say("Turn")), turn.project ? element("small", { class: "project" }, turn.project) : null, element("span", {}, say("{state}, {summary}", { state: say(TURNS[turn.turn] ?? turn.turn), summary: turn.summary.split(", ").map(sayLine).join(say(", ")) }))));
  const steps = turn.recent.map((what) => element("li", {}, element("span", { dir: "auto" }, what)));
  for (const [what, time] of turn.running) {
    steps.push(element("li", { class: "now" }, element("span", { dir: "auto" }, what), element("small", {}, say("now")), element("time", {}, time)));
  }
  if (turn.note) steps.push(element("li", { class: "now" }, element("span", {}, sayLine(turn.note))));
  for (const stage of turn.stages) {
    const by = stage.name === "steered" ? `“${stage.by}”` : say("by {who}", { who: stage.by });
    steps.push(element("li", { class: "event", "data-stage": stage.name }, element("span", {}, say(stage.name)), element("small", { dir: "auto" }, by), element("time", {}, duration(stage.at - turn.at))));
  }
  item.append(element("ol", { class: "stages" }, ...steps));
  if (turn.plan.length) {
    const plan = turn.plan.map(([text, done]) => element("li", {}, element("span", { role: "img", "aria-label": say(done ? "done" : "to do") }, done ? "☑" : "☐"), " ", element("span", { dir: "auto" }, text)));
    item.append(element("ul", { class: "plan", "aria-label": say("Plan") }, ...plan));
  }
  return item;
}

// `previous` is the last stage before it whose time is known.
function drawStage(stage, previous, life) {
  const from = stage.name === "received" ? say("by {who}", { who: PLATFORMS[stage.by] ?? stage.by }) : stage.by ? say("process {pid}", { pid: stage.by }) : "";
  const by = stage.note === undefined ? from : sayLine(stage.note);
  const name = say(stage.name);
  const shown = stage.name === "offered" && life.offers > 1 ? say("{stage}, {count} times", { stage: name, count: life.offers }) : name;
  const time = !stage.at ? "" : previous ? duration(stage.at - previous.at) : clock(stage.at);
  return element("li", { "data-stage": stage.name }, element("span", {}, shown), element("small", {}, by), element("time", {}, time));
}

const clock = (at) => new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function duration(seconds) {
  const ms = Math.max(0, seconds * 1000);
  if (ms < 1) return "+<1 ms";
  return ms < 1000 ? `+${ms.toFixed(0)} ms` : `+${seconds.toFixed(1)} s`;
}
