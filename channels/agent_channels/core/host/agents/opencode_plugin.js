// Agent Channels: the chats of this project in OpenCode and Kilo. https://opencode.ai/docs/plugins
//
// Written by `channels setup --host opencode`, removed by `channels uninstall`; what is changed here is overwritten.
// It opens a socket for the project's channel servers, by which they hand over messages and stop a turn, and tells them
// what the session does. Permissions and questions are asked by `channels hook`. Nothing that fails here may keep the
// host from its work.
import { spawn } from "node:child_process"
import { randomBytes, timingSafeEqual } from "node:crypto"
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

const PROGRAM = ["channels"]

// How long the host waits for a server, in milliseconds; an answer takes a few.
const ANSWER_WITHIN = 1000
const GOES_ON_WITHIN = 3000
const LINE_MAX = 4 * 1024 * 1024
const TEXT_MAX = 50_000
const TOOLS = {
  bash: "Bash", edit: "Edit", write: "Write", read: "Read", grep: "Grep", glob: "Glob", list: "LS", task: "Task",
  webfetch: "WebFetch", websearch: "WebSearch", todowrite: "TodoWrite", skill: "Skill",
}
const FAILURES = {
  401: "authentication_failed", 402: "billing_error", 403: "authentication_failed", 429: "rate_limit",
  503: "overloaded", 529: "overloaded",
}
const EDITING = ["edit", "write", "multiedit", "patch", "apply_patch"]

export const AgentChannels = async ({ client, directory }) => {
  const token = randomBytes(32).toString("hex")
  const links = new Set()
  const sessions = new Map()
  const tools = new Map()
  const running = new Map()
  const prefixes = []
  let hookEnvironment = {}
  let active
  let calls = 0

  // ---- the socket

  // A socket's path may have 104 bytes, and the variable may name a folder that is gone, or another user's (`su`).
  const makeFolder = () => {
    for (const above of [process.env.XDG_RUNTIME_DIR, tmpdir()]) {
      try {
        if (above && above.length < 70) return mkdtempSync(join(above, "channels-"))
      } catch {}
    }
    return mkdtempSync("/tmp/channels-")
  }
  const folder = process.platform === "win32" ? undefined : makeFolder()
  const path = folder ? join(folder, "host.sock") : `\\\\.\\pipe\\channels-${randomBytes(16).toString("hex")}`

  const take = {
    server: (link) => links.add(link),
    user: (_, line) => deliver(line.message?.content),
    stop: () => active && client.session.abort({ path: { id: active } }),
    answer: (link, line) => link.asked.get(line.id)?.(line.answer),
  }

  const server = createServer((socket) => {
    const link = { socket, asked: new Map(), trusted: false }
    let text = ""
    socket.setEncoding("utf8")
    socket.on("data", (data) => {
      const lines = (text + data).split("\n")
      text = lines.pop()
      if (text.length > LINE_MAX) return socket.destroy()
      for (const one of lines) {
        try {
          const line = JSON.parse(one)
          if (line.type === "auth") link.trusted = isToken(line.token)
          else if (!link.trusted) return socket.destroy()
          else Promise.resolve(take[line.type]?.(link, line)).catch(() => {})
        } catch {
          return socket.destroy()
        }
      }
    })
    socket.on("error", () => {})
    socket.on("close", () => {
      links.delete(link)
      for (const answered of link.asked.values()) answered({})
    })
  })
  await new Promise((listening, failed) => server.once("error", failed).listen(path, listening))
  if (folder) chmodSync(path, 0o600)
  server.unref()
  const close = () => {
    server.close()
    if (folder) rmSync(folder, { recursive: true, force: true })
  }
  process.once("exit", close)

  const isToken = (given) => {
    const [theirs, ours] = [Buffer.from(String(given)), Buffer.from(token)]
    return theirs.length === ours.length && timingSafeEqual(theirs, ours)
  }

  // Tells every server of the project what the session does; returns what they answer, as a hook's output.
  const tell = (event, fields) =>
    Promise.all(
      [...links].map(
        (link) =>
          new Promise((resolve) => {
            const id = ++calls
            const answered = (answer) => {
              clearTimeout(timer)
              link.asked.delete(id)
              resolve(answer ?? {})
            }
            const timer = setTimeout(answered, ANSWER_WITHIN)
            link.asked.set(id, answered)
            link.socket.write(JSON.stringify({ type: "hook", id, arguments: { event, ...fields } }) + "\n")
          }),
      ),
    )
  const contexts = (answers) =>
    answers.map((answer) => answer.hookSpecificOutput?.additionalContext).filter(Boolean).join("\n\n")

  // ---- the hooks that ask people

  // Runs a hook of ours; returns its output, undefined if it has none. `key`: by which `end` finds it.
  const hook = (name, key, event) =>
    new Promise((resolve) => {
      const [program, ...more] = PROGRAM
      const options = { cwd: directory, env: { ...process.env, ...hookEnvironment }, stdio: ["pipe", "pipe", "ignore"] }
      const child = spawn(program, [...more, "hook", name], options)
      running.set(key, child)
      let out = ""
      child.stdout.setEncoding("utf8").on("data", (data) => (out += data))
      child.stdin.on("error", () => {})
      child.on("error", () => resolve(undefined))
      child.on("close", () => {
        if (running.get(key) === child) running.delete(key)
        try {
          resolve(JSON.parse(out).hookSpecificOutput)
        } catch {
          resolve(undefined)
        }
      })
      child.stdin.end(JSON.stringify({ cwd: directory, ...event }))
    })
  // Interrupted, it closes what it asked.
  const end = (key) => running.get(key)?.kill("SIGINT")

  // ---- sessions

  const session = async (id) => {
    if (!sessions.has(id)) {
      const found = await client.session.get({ path: { id } }).catch(() => undefined)
      if (!sessions.has(id)) sessions.set(id, { id, parent: found?.data?.parentID })
    }
    return sessions.get(id)
  }
  // The session, if it is the one that messages go to, or works for that one.
  const ours = async (id) => {
    const found = id ? await session(id) : undefined
    for (let one = found; one; one = one.parent ? await session(one.parent) : undefined) {
      if (one.id === active) return found
    }
  }
  const fields = (one) => ({ turn: sessions.get(active)?.turn ?? "", agent: one.id === active ? "" : one.id })

  // Continues the session that the person at the terminal used last, else begins one and shows it.
  const target = async () => {
    if (active) return session(active)
    const made = await client.session.create({ body: {} })
    active = made.data.id
    const shown = { type: "tui.session.select", properties: { sessionID: active } }
    await client.tui.publish({ body: shown }).catch(() => {})
    return session(active)
  }

  // With the agent and the model that the person chose: a message from a chat is allowed no more than they are.
  const prompt = async (one, text) => {
    const body = { parts: [{ type: "text", text }], agent: one.agent, model: one.model, variant: one.variant }
    await client.session.promptAsync({ path: { id: one.id }, body, throwOnError: true })
  }

  let delivered = Promise.resolve()
  const deliver = (text) => {
    if (typeof text !== "string") return
    delivered = delivered
      .then(async () => {
        const one = await target()
        if (!one.agent) Object.assign(one, await chosen(one.id))
        const intro = "Messages came in by chat. Answer each with the reply tool of its channel, in its chat_id:"
        await prompt(one, `${intro}\n${text}`)
      })
      .catch(() => {})
  }
  const chosen = async (id) => {
    const found = await client.session.messages({ path: { id } })
    const last = found.data?.map((message) => message.info).findLast((info) => info.role === "user")
    return last ? choice(last) : {}
  }
  const choice = ({ agent, model }) => ({
    agent, variant: model?.variant, model: model && { providerID: model.providerID, modelID: model.modelID },
  })

  // ---- tools, in the words that the hooks know

  const snakeCase = (key) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  const snake = (values) =>
    Object.fromEntries(Object.entries(values ?? {}).map(([key, value]) => [snakeCase(key), value]))
  const toolName = (tool) => {
    const found = prefixes.find(({ prefix }) => tool.startsWith(prefix))
    return found ? `mcp__${found.channel}__${tool.slice(found.prefix.length)}` : (TOOLS[tool] ?? tool)
  }
  const text = (value) => (typeof value === "string" ? value : (JSON.stringify(value) ?? "")).slice(0, TEXT_MAX)

  const described = (asked) => {
    const call = tools.get(asked.tool?.callID)
    const itself = call?.tool === asked.permission || (asked.permission === "edit" && EDITING.includes(call?.tool))
    if (itself) return { tool_name: toolName(call.tool), tool_input: snake(call.args) }
    const input = { ...snake(asked.metadata), patterns: asked.patterns?.join(", ") }
    return { tool_name: toolName(asked.permission), tool_input: input }
  }

  const headers = { "Content-Type": "application/json" }
  const post = async (url, body) => client._client.post({ url, body, headers, throwOnError: true })

  // ---- events

  const events = {
    "session.created": ({ info }) => {
      sessions.set(info.id, { ...sessions.get(info.id), id: info.id, parent: info.parentID })
      if (!info.parentID) active ??= info.id
    },
    "session.deleted": ({ info }) => {
      sessions.delete(info.id)
      if (active === info.id) active = undefined
    },
    "message.updated": ({ info }) => {
      const one = sessions.get(info.sessionID)
      // Earlier ones are updated too; ids ascend.
      if (one && info.role === "assistant" && info.id > (one.answered ?? "")) one.answered = info.id
    },
    "message.part.updated": async ({ part }) => {
      const one = await ours(part.sessionID)
      if (!one) return
      if (part.type === "text" && part.time?.end && one.answered === part.messageID) {
        one.said = one.saidIn === part.messageID ? `${one.said}\n${part.text}` : part.text
        one.saidIn = part.messageID
        await tell("MessageDisplay", { ...fields(one), words: text(part.text) })
      } else if (part.type === "step-finish") {
        const answers = await tell("PostToolBatch", fields(one))
        if (answers.some((answer) => answer.continue === false)) await client.session.abort({ path: { id: active } })
        const more = contexts(answers)
        if (more) await prompt(await session(active), more)
      }
    },
    "session.error": async ({ sessionID, error }) => {
      const one = await ours(sessionID)
      if (!one || one.id !== active) return
      one.failed = true
      if (error?.name === "MessageAbortedError") return tell("Notification", { kind: "idle_prompt" })
      const kind = FAILURES[error?.data?.statusCode] ?? "unknown"
      await tell("StopFailure", { ...fields(one), error: kind, words: text(error?.data?.message ?? error?.name) })
    },
    "session.status": async ({ sessionID, status }) => {
      const one = sessions.get(sessionID)
      if (!one || one.id !== active || status?.type !== "busy") return
      clearTimeout(one.late)
      // Kilo begins by itself with what came in the middle of a turn.
      if (one.turn || !isUnread(one)) return
      Object.assign(one, { turn: one.asked, said: "", failed: false })
      const more = contexts(await tell("UserPromptSubmit", { ...fields(one), prompt: one.prompt }))
      if (more) await prompt(one, more)
    },
    "session.idle": async ({ sessionID }) => {
      const one = await ours(sessionID)
      if (!one) return
      if (one.id !== active) return tell("SubagentStop", fields(one))
      if (!one.turn) return
      one.turn = undefined
      tools.clear()
      if (one.failed) return
      if (isUnread(one)) {
        // What came in the moment that the turn ended, unless the host goes on with it.
        const remind = () => prompt(one, "The messages above are not answered yet: answer them.").catch(() => {})
        one.late = setTimeout(remind, GOES_ON_WITHIN)
        return
      }
      const answer = await hook("stop", one.id, {
        hook_event_name: "Stop", session_id: one.id, stop_hook_active: one.goesOn === true,
        last_assistant_message: text(one.said),
      })
      if (!answer?.additionalContext) return
      one.goingOn = true
      await prompt(one, answer.additionalContext)
    },
    "session.compacted": async ({ sessionID }) => {
      const one = await ours(sessionID)
      if (one) await tell("PostCompact", fields(one))
    },
    "permission.asked": async (asked) => {
      const answer = await hook("permission", asked.id, {
        hook_event_name: "PermissionRequest", session_id: asked.sessionID, ...described(asked),
      })
      const decision = answer?.decision
      if (!decision) return
      const reply = decision.behavior === "allow" ? "once" : "reject"
      const documented = { path: { id: asked.sessionID, permissionID: asked.id }, body: { response: reply } }
      // The documented call has no place for the reason.
      await post(`/permission/${asked.id}/reply`, { reply, message: decision.message }).catch(() =>
        client.postSessionIdPermissionsPermissionId(documented),
      )
    },
    "permission.replied": ({ requestID }) => end(requestID),
    "question.asked": async (asked) => {
      const questions = asked.questions.map((one) => ({ ...one, multiSelect: one.multiple === true }))
      const answer = await hook("question", asked.id, {
        hook_event_name: "PreToolUse", session_id: asked.sessionID, tool_name: "AskUserQuestion",
        tool_input: { questions },
      })
      if (answer?.permissionDecision === "deny") await post(`/question/${asked.id}/reject`, {})
      const given = answer?.updatedInput?.answers
      const answers = given && questions.map((one) => labels(one, given[one.question] ?? ""))
      if (given) await post(`/question/${asked.id}/reply`, { answers })
    },
    "question.replied": ({ requestID }) => end(requestID),
    "question.rejected": ({ requestID }) => end(requestID),
  }
  const isUnread = (one) => one.asked > (one.answered ?? "")
  const labels = (question, answer) => {
    if (!question.multiSelect) return [answer]
    const named = question.options.map(({ label }) => label).filter((label) => `, ${answer}, `.includes(`, ${label}, `))
    return named.length ? named : [answer]
  }

  return {
    config: async (config) => {
      // `mcp list` starts the servers too, and nobody would see a message.
      if (process.argv[2] === "mcp") return
      for (const [name, entry] of Object.entries(config.mcp ?? {})) {
        const [program, verb, channel] = Array.isArray(entry?.command) ? entry.command : []
        if (verb !== "serve" || !/(^|[\\/])channels(\.exe)?$/.test(program)) continue
        // A host that was started from another one's session inherited its variables.
        const inherited = { CLAUDE_CODE_SESSION_ID: "", CLAUDE_PID: "" }
        entry.environment = {
          ...entry.environment, ...inherited, CHANNELS_HOST_SOCKET: path, CHANNELS_HOST_TOKEN: token,
        }
        hookEnvironment = { ...hookEnvironment, ...entry.environment }
        prefixes.push({ prefix: `${name.replace(/[^a-zA-Z0-9_-]/g, "_")}_`, channel })
      }
    },
    "chat.message": async ({ sessionID }, { message, parts }) => {
      try {
        const one = await session(sessionID)
        if (one.parent) return
        const before = sessions.get(active)
        if (before && before !== one) before.turn = undefined
        active = one.id
        end(one.id)
        clearTimeout(one.late)
        Object.assign(one, { goesOn: one.goingOn === true, goingOn: false })
        Object.assign(one, choice(message), { asked: message.id, failed: false })
        if (!one.turn) Object.assign(one, { turn: message.id, said: "" })
        one.prompt = text(parts.filter((part) => part.type === "text").map((part) => part.text).join("\n"))
        const more = contexts(await tell("UserPromptSubmit", { ...fields(one), prompt: one.prompt }))
        const last = parts.findLast((part) => part.type === "text")
        if (more && last) last.text += `\n\n${more}`
      } catch {}
    },
    "tool.execute.before": async ({ tool, sessionID, callID }, { args }) => {
      tools.set(callID, { tool, args })
      const one = await ours(sessionID).catch(() => undefined)
      if (!one) return
      const input = snake(args)
      const answers = await tell("PreToolUse", {
        ...fields(one), tool: toolName(tool), call: callID, file: text(input.file_path), todos: text(input.todos),
        subject: text(input.command ?? input.file_path ?? input.path ?? input.url ?? input.query ?? input.name),
        words: text(input.pattern ?? input.description),
      })
      const stopped = answers.find((answer) => answer.continue === false)
      if (!stopped) return
      await client.session.abort({ path: { id: active } }).catch(() => {})
      throw new Error(stopped.stopReason)
    },
    "tool.execute.after": async ({ callID }) => void tools.delete(callID),
    event: async ({ event }) => {
      try {
        await events[event.type]?.(event.properties)
      } catch {}
    },
    dispose: async () => close(),
  }
}
