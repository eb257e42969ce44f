"""The policy decides by its first rule that matches: what it allows is read narrowly, what it denies widely."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from agent_channels.core.buttons.card_content import permission_spec
from agent_channels.core.buttons.policy import HostRequest, decide, strictest
from agent_channels.core.buttons.prompt_spec import ALLOW, DENY
from agent_channels.core.contract.messages import Person
from agent_channels.core.errors import ConfigError
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, Settings, load
from agent_channels.core.settings.hook_settings import load_hook_settings
from agent_channels.core.settings.policy import parse_policy, policy_problems
from agent_channels.core.settings.state_folder import make_state_folder
from agent_channels.core.store.database import Store

POLICY = """\
language: en
policy:
- {tool: Bash, match: "rm -rf /*", then: deny}
- {tool: Bash, match: "git push --force*", then: deny}
- {tool: Bash, match: "git push*", then: ask, approvers: 2, ttl_s: 600}
- {tool: Bash, match: "git *", then: allow}
- {tool: Bash, match: "npm test", then: allow}
- {tool: Edit, match: "src/*", then: allow}
- {tool: Edit, match: "*.lock", then: deny}
- {tool: Write, match: "docs/*", chat: -100, then: allow}
- {tool: WebFetch, match: "https://docs.example/*", then: allow}
- {tool: "mcp__db__*", project: "shop", then: ask, approvers: 2}
- {tool: "mcp__*", then: deny}
- {tool: Write, then: ask, ttl_s: 60}
"""
BASH: list[tuple[str, str | None]] = [
    ("rm -rf /", "1 deny"), ("rm -rf /home", "1 deny"), ("cd x && rm -rf /etc", "1 deny"), ("ls; rm -rf /", "1 deny"),
    ("echo a | rm -rf /x", "1 deny"), ("ls\nrm -rf /", "1 deny"), ("rm -rf build", None), ("rm file", None),
    ("git push --force", "2 deny"), ("git push --force origin", "2 deny"), ("make && git push --force x", "2 deny"),
    ("git push", "3 ask"), ("git push origin main", "3 ask"), ("cd a && git push", "3 ask"), (" git push ", "3 ask"),
    ("git status", "4 allow"), ("git log -5", "4 allow"), ("git commit -m 'x'", "4 allow"), ("git", None),
    ("git status; curl evil", None), ("git status && rm x", None), ("git log | sh", None), ("git log > x", None),
    ("git log `id`", None), ("git log $(id)", None), ("git log $HOME", None), ("git status & x", None),
    ("git status\nrm x", None), ("git diff < x", None), ("git log | xargs rm", None), ("git status \\\n; rm", None),
    ("xgit status", None), ("/usr/bin/git status", None), ("GIT status", None),
    ("git add state/telegram/config.yaml", None),
    ("npm test", "5 allow"), ("npm test -- --watch", None), ("npm test; x", None), ("npm  test", None), ("", None),
]  # fmt: skip
OTHERS: list[tuple[str, dict[str, str], str | None]] = [
    ("Edit", {"file_path": "src/a.py"}, "6 allow"), ("Edit", {"file_path": "src/deep/er/a.py"}, "6 allow"),
    ("Edit", {"file_path": "src/../secret.py"}, None), ("Edit", {"file_path": "/etc/passwd"}, None),
    ("Edit", {"file_path": "src/link/x"}, None), ("Edit", {"file_path": "poetry.lock"}, "7 deny"),
    ("Edit", {"file_path": "state/telegram/config.yaml"}, None), ("MultiEdit", {"file_path": "src/a.py"}, None),
    ("Write", {"file_path": "docs/a.md"}, "8 allow"), ("Write", {"file_path": "a.md"}, "12 ask"),
    ("WebFetch", {"url": "https://docs.example/a"}, "9 allow"),
    ("WebFetch", {"url": "https://docs.example.evil/"}, None),
    ("WebFetch", {"url": "http://docs.example/a"}, None), ("mcp__db__query", {"sql": "x"}, "10 ask"),
    ("mcp__other__x", {}, "11 deny"), ("mcp__", {}, "11 deny"), ("Read", {"file_path": "src/a.py"}, None),
    ("bash", {"command": "git status"}, None), ("Write", {}, "12 ask"), ("Bash", {"cmd": "git status"}, None),
]  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "src").mkdir(parents=True)
    (folder / "state/telegram").mkdir(parents=True)
    (folder / "src/link").symlink_to("/etc")
    return folder


def configured(tmp_path: Path, text: str) -> Environment:
    state = make_state_folder(tmp_path / "state-of")
    (state / "config.yaml").write_text(text)
    (state / "config.yaml").chmod(0o600)
    return Environment("telegram", {"TELEGRAM_STATE_DIR": str(state)})


def test_sixty_requests_over_twelve_rules(tmp_path: Path, project: Path) -> None:
    """Each is decided by the rule that the table names, or by none; hooks read the same rules as the server."""
    env = configured(tmp_path, POLICY)
    rules = load(Settings, env).policy
    hook_settings, problems = load_hook_settings(env.config_file)
    assert (hook_settings.policy, problems) == (rules, [])
    assert len(rules) == 12
    requests = [("Bash", {"command": command}, expected) for command, expected in BASH] + OTHERS
    assert len(requests) == 60
    wrong = []
    for tool, tool_input, expected in requests:
        rule = decide(rules, HostRequest(tool, tool_input, project, ["-100"], project / "state/telegram"))
        found = None if rule is None else f"{rule.number} {rule.then}"
        if found != expected:
            wrong.append((tool, tool_input, found, expected))
    assert wrong == []


def test_a_path_counts_by_whatever_name(tmp_path: Path, project: Path) -> None:
    """Hosts call a file's argument differently; beside a command it is unclear which of the two is meant."""
    rules = load(Settings, configured(tmp_path, POLICY)).policy

    def decided(tool: str, **tool_input: str) -> int | None:
        rule = decide(rules, HostRequest(tool, tool_input, project))
        return None if rule is None else rule.number

    for name in ("file_path", "absolute_path", "notebook_path", "path"):
        assert decided("Edit", **{name: "src/a.py"}) == 6
        assert decided("Edit", **{name: "src/../secret.py"}) is None
        assert decided("Edit", **{name: str(project / "poetry.lock")}) == 7
        assert decided("Bash", command="git status", **{name: "src/a.py"}) is None
    assert decided("Bash", command="git status") == 4


def test_chat_and_project_narrow_a_rule(project: Path) -> None:
    """A rule of a chat holds while the agent works for it, and a rule of a project there."""
    rules = parse_policy(
        [
            {"tool": "Write", "chat": -100, "then": "allow", "match": "docs/*"},
            {"tool": "X", "project": "other", "then": "deny"},
        ]
    )
    write = {"file_path": "docs/a.md"}
    assert decide(rules, HostRequest("Write", write, project, ["-100"])) is not None
    assert decide(rules, HostRequest("Write", write, project, ["5"])) is None
    # While the agent works for another chat too, nobody knows who wanted it.
    assert decide(rules, HostRequest("Write", write, project, ["-100", "5"])) is None
    assert decide(rules, HostRequest("X", {}, project)) is None
    assert decide(rules, HostRequest("X", {}, project.with_name("other"))) is not None


def test_what_a_host_cut_is_never_allowed_by_a_rule(project: Path) -> None:
    """Nobody knows what stood behind; it may be denied, and approvers may be asked."""
    allow, deny = parse_policy([{"tool": "Bash", "then": "allow"}]), parse_policy([{"tool": "Bash", "then": "deny"}])
    assert decide(allow, HostRequest("Bash", '{"command": "git sta', project)) is None
    assert decide(deny, HostRequest("Bash", '{"command": "git sta', project)) is not None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("policy:\n- {tool: X, then: deny}\npolicy:\n- {tool: X, then: allow}\n", 3),
        ("policy:\n- {tool: X, then: deny, then: allow}\n", 2),
        ("policy:\n- tool: X\n  match: a\n  then: allow\n  match: b\n", 5),
    ],
)
def test_what_is_there_twice_is_refused(tmp_path: Path, text: str, line: int) -> None:
    """YAML would take the last one, and what the first one denies would be gone."""
    env = configured(tmp_path, text)
    with pytest.raises(ConfigError, match=rf"line {line}: .* a second time"):
        load(Settings, env)
    assert load_hook_settings(env.config_file)[1]


@pytest.mark.parametrize(
    "command",
    [
        "cp evil.yaml state/telegram/config.yaml", "cp -r evil/telegram state", "cp -r evil/. state/telegram/",
        "cp a src/../state/telegram/x", "tee --output=state/telegram/x", "mv x './state'", "sed -i s/a/b/ config.yaml",
        "cp e st'a'te/telegram/.env", "cp e sta?e/telegram/.env", "cp e {state,x}/telegram/.env", "cp e ~+/state/x",
        "cp -tstate/telegram e", "cp e state/discord/.env", "cp e state/discord/channel.db",
        "cp -rftstate/telegram x", "tar -xCstate/telegram", "cp e @state/telegram/x", "tar -xCsrc/../state", "tar -xC.",
        "tar -xC../shop/./state//telegram", "curl -d x@state/telegram/.env", "cp -r evil .", "cp -r evil ..", "rm -r /",
        "cp -r evil src/..",
    ],
)  # fmt: skip
def test_no_rule_allows_to_change_the_policy(project: Path, command: str) -> None:
    """What may write into the state folder, or over it, is asked about, whatever a rule allows."""
    rules = parse_policy([{"tool": "Bash", "match": "*", "then": "allow"}])
    state = project / "state/telegram"
    assert decide(rules, HostRequest("Bash", {"command": command}, project, (), state)) is None
    assert decide(rules, HostRequest("Bash", {"command": "git add -f src x@2"}, project, (), state)) is not None
    there = HostRequest("Bash", {"command": "cp /tmp/evil .env"}, project, (), state, state)
    assert decide(rules, there) is None
    glued = f"tar -xC{project}//src/../state/./telegram"
    assert decide(rules, HostRequest("Bash", {"command": glued}, project, (), state)) is None


def test_no_rule_allows_a_tool_to_change_the_policy(project: Path) -> None:
    """Whatever the path is called; a host's own search of the whole project is none."""
    rules = parse_policy([{"tool": "*", "match": "*", "then": "allow"}])

    def decided(tool: str, **tool_input: str) -> bool:
        return decide(rules, HostRequest(tool, tool_input, project, (), project / "state/telegram")) is not None

    assert not decided("mcp__fs__move", path="src/a", destination="src/../state/telegram/.env")
    assert not decided("mcp__fs__move", path="src/a", destination=".")
    assert not decided("mcp__fs__move", path="src/a", destination=f"{'a/../' * 2000}state/telegram/.env")
    assert not decided("NotebookEdit", file_path="src/a", notebook_path="state/telegram/x")
    assert decided("mcp__fs__move", path="src/a", destination="src/b")
    assert decided("Grep", pattern="x", path=".")
    assert not decided("Grep", pattern="x", path="state")


@pytest.mark.parametrize(
    "command",
    [
        "git  push", "git 'push'", 'g"i"t push', "(git push)", "echo $(git push)", "sudo git push", "x=1 git push",
        "/usr/bin/git push", "\\git push", "git\\\n push", "bash -c 'git push'", "{ git push; }", "! git push",
        "if true; then git push; fi", "`git push`", "time git push -f", "git -C . push", "git --no-pager push",
        "git -C 'my folder' push", "git -C my\\ folder push", "git -c a.b=c -c d.e=f --no-pager push origin",
        "env X=1 git push", "env -i X=1 git push", "bash -c 'git -C . push'", "/usr/bin/git -C . push", "git $'push'",
        "git$IFS'push'", "git${IFS}push",
        "git >/dev/null push", "git>/dev/null push", "git 2>&1 push", "git &> x push", "git {fd}>x push",
        "git <<<x push", "git > 'a b' push", "2>x git push", "{git,push}", "{git,push,-f} x", "ls;{git,-C,.,push}",
        "git {push,-f}",
        'git -c "core.pager=less; x" push', "git -c 'a=(b) | c' push", 'git -c "a={x}" >x push',
    ],
)  # fmt: skip
def test_what_denies_is_read_widely(project: Path, command: str) -> None:
    """However a shell is told to run it, also in a text that the host cut; the rule behind it allows nothing of it."""
    rules = parse_policy(
        [{"tool": "Bash", "match": "git push*", "then": "deny"}, {"tool": "Bash", "match": "*", "then": "allow"}]
    )
    for tool_input in ({"command": command}, json.dumps({"command": f"{command} # {'y' * 4000}"})[:3500]):
        rule = decide(rules, HostRequest("Bash", tool_input, project))
        assert rule is not None
        assert rule.then == "deny"


@pytest.mark.parametrize("match", ["git push", "git push*"])
def test_what_denies_looks_at_each_of_several_commands(project: Path, match: str) -> None:
    """Each may begin with other words, and ends where the next begins; a command as a list is one."""
    rules = parse_policy([{"tool": "Bash", "match": match, "then": "deny"}])
    for command in (
        "ls; sudo git push; ls", "a && git -C . push || b", "ls\ngit push\nls", ["bash", "-c", "git -C . push"],
    ):  # fmt: skip
        assert decide(rules, HostRequest("Bash", {"command": command}, project)) is not None


@pytest.mark.parametrize(
    "command",
    ["git stash push", "git commit -m push", "git log --grep push", "git -C . commit -m push", "git pull", "git -C ."],
)
def test_another_subcommand_is_not_denied(project: Path, command: str) -> None:
    """Only what stands between a program and its first other word is passed over."""
    rules = parse_policy([{"tool": "Bash", "match": "git push*", "then": "deny"}])
    assert decide(rules, HostRequest("Bash", {"command": command}, project)) is None


def test_a_denied_folder_is_denied_by_its_name_too(project: Path) -> None:
    """Also if it is a link to another place, however its path is written; a list as a command is never allowed."""
    (project / "secrets").symlink_to("/somewhere")
    rules = parse_policy([{"tool": "*", "match": "secrets/*", "then": "deny"}, {"tool": "*", "then": "allow"}])
    for path in ("secrets/a", "./secrets/a", str(project / "secrets/a"), "src/../secrets/a"):
        rule = decide(rules, HostRequest("Read", {"file_path": path}, project))
        assert rule is not None
        assert rule.then == "deny"
    assert decide(rules, HostRequest("Bash", {"command": ["bash", "-c", "rm x; ls"]}, project)) is None


def test_thousands_of_options_are_looked_at_quickly(project: Path) -> None:
    """The time grows with the command, whatever an agent writes into it; what it says is still found."""
    rules = parse_policy([{"tool": "Bash", "match": "*evil*", "then": "deny"}])
    command = "a -b c " * 3000
    asked = HostRequest("Bash", {"command": command}, project)
    assert sum(map(len, asked.parts())) < 3000 * len(command) * 8
    assert decide(rules, HostRequest("Bash", {"command": f"{command} evil"}, project)) is not None


@pytest.mark.parametrize(
    "command", [f"git {'-c a=b ' * 17}push", f"git {'-c a=b ' * 16}'-p' push", f"git -c a={'b' * 20_000} push"]
)
def test_what_is_longer_than_is_looked_at_is_never_allowed(project: Path, command: str) -> None:
    """Nobody knows what it does; up to there it is denied, and what does something else is allowed."""
    rules = parse_policy(
        [{"tool": "Bash", "match": "git push*", "then": "deny"}, {"tool": "Bash", "match": "*", "then": "allow"}]
    )
    assert decide(rules, HostRequest("Bash", {"command": command}, project)) is None
    found = [
        decide(rules, HostRequest("Bash", {"command": f"git {'-c a=b ' * 16}{verb}"}, project))
        for verb in ("push", "log")
    ]
    assert [rule.then for rule in found if rule] == ["deny", "allow"]


def test_only_the_star_is_a_wild_card(project: Path) -> None:
    """Paths and addresses have brackets and question marks, which stand for themselves."""
    rules = parse_policy(
        [
            {"tool": "Edit", "match": "app/[id]/*", "then": "deny"},
            {"tool": "WebFetch", "match": "https://x.example/?q=*", "then": "allow"},
        ]
    )
    assert decide(rules, HostRequest("Edit", {"file_path": "app/[id]/page.tsx"}, project)) is not None
    assert decide(rules, HostRequest("Edit", {"file_path": "app/i/page.tsx"}, project)) is None
    assert decide(rules, HostRequest("WebFetch", {"url": "https://x.example/?q=a"}, project)) is not None
    assert decide(rules, HostRequest("WebFetch", {"url": "https://x.example/aq=a"}, project)) is None
    assert policy_problems(rules, 1) == []


def test_every_text_of_a_tool_counts(project: Path) -> None:
    """A rule that denies looks at each, and one that allows has to match each that may be what a server works on."""
    rules = parse_policy(
        [{"tool": "mcp__fs__*", "match": "*.ssh*", "then": "deny"}, {"tool": "*", "match": "src/*", "then": "allow"}]
    )
    both = {"path": "src/a", "destination": "/somewhere/.ssh/authorized_keys"}
    assert [rule.then for rule in [decide(rules, HostRequest("mcp__fs__move", both, project))] if rule] == ["deny"]
    elsewhere = {"path": "src/a", "destination": "/somewhere/x"}
    assert decide(rules, HostRequest("mcp__fs__move", elsewhere, project)) is None
    assert decide(rules, HostRequest("Edit", {"command": "src/x", "file_path": "/etc/passwd"}, project)) is None
    within = {"path": "src/a", "destination": "src/b"}
    assert decide(rules, HostRequest("mcp__fs__move", within, project)) is not None


@pytest.mark.parametrize(
    ("tool", "tool_input", "allowed"),
    [
        ("mcp__fs__move", {"path": "src/a", "destination": "src/b/../c"}, True),
        ("mcp__fs__move", {"path": "src/a", "destination": "src/../../x"}, False),
        ("mcp__fs__move", {"path": "src/a", "destination": "src/../state/telegram/.env"}, False),
        ("mcp__fs__move", {"path": "src/a", "destination": "src/link/x"}, False),
        ("mcp__fs__move", {"path": "src/a", "destination": "src\\..\\..\\x"}, False),
        ("mcp__fs__move", {"path": "src/a", "destination": f"src/{'a/../' * 2000}../../x"}, False),
        ("mcp__fs__move", {"file_path": "src/a", "path": "src/../../x"}, False),
        ("mcp__fs__move", {"query": "src/../../x"}, False),
        ("mcp__fs__write", {"path": "src/a", "dry-run": True}, True),
        ("mcp__fs__write", {"path": "src/a", "src/../../x": True}, False),
        ("mcp__fs__write", {"path": "src/a", "files": {"src/../../x": "src/b"}}, False),
        ("mcp__fs__write", {"path": "src/a", "files": {"Makefile": "src/b"}}, False),
        ("mcp__fs__write", {"path": "src/a", "files": {"src/b": "src/c"}}, True),
        ("NotebookEdit", {"file_path": "src/a", "notebook_path": "/etc/x"}, False),
        ("NotebookEdit", {"file_path": "src/a", "notebook_path": ["/etc/x"]}, False),
        ("NotebookEdit", {"file_path": "src/a", "notebook_path": "src/x", "new_source": "../x"}, True),
    ],
)
def test_each_path_of_a_tool_is_the_real_one(
    project: Path,
    tool: str,
    tool_input: dict[str, object],
    allowed: bool,
) -> None:
    """Whatever it is called and wherever it stands, it leads where the rule allows, or people are asked."""
    rules = parse_policy([{"tool": "*", "match": "src/*", "then": "allow"}])
    assert (
        decide(rules, HostRequest(tool, tool_input, project, (), project / "state/telegram")) is not None
    ) == allowed


def test_of_several_channels_the_strictest_rule_holds() -> None:
    """No channel's policy makes another one's looser."""
    allow, ask, two, deny = (
        parse_policy([{"tool": "*", **values}])[0]
        for values in ({"then": "allow"}, {"then": "ask"}, {"then": "ask", "approvers": 2}, {"then": "deny"})
    )
    assert strictest([allow, ask]) is ask
    assert strictest([two, ask, allow]) is two
    assert strictest([two, deny, allow]) is deny
    assert strictest([]) is None


@pytest.mark.parametrize(
    ("rule", "line", "why"),
    [
        ("{tool: Bash, then: permit}", 4, "then is 'permit'; it must be allow, deny or ask"),
        ("{tool: Bash}", 4, "then is None"),
        ("{then: ask}", 4, "tool is None; it must be a text"),
        ("{tool: Bash, matches: x, then: ask}", 4, "it has no 'matches'; did you mean 'match'?"),
        ("{tool: Bash, then: ask, approvers: 0}", 4, "approvers is 0; it must be a whole number from 1 to 10"),
        ("{tool: Bash, then: ask, approvers: yes}", 4, "approvers is True"),
        ("{tool: Bash, then: ask, ttl_s: soon}", 4, "ttl_s is 'soon'; it must be a number from 10 to 86400"),
        ("{tool: Bash, then: allow, approvers: 2}", 4, "approvers is for then: ask"),
        ("{tool: Bash, match: '', then: deny}", 4, "match is ''"),
        ("deny everything", 4, "it is 'deny everything', not names with values"),
        ("{tool: Edit, match: './src/**', then: deny}", 4, "match is './src/**', but Edit is compared with the path"),
        ("{tool: Read, match: src//a, then: deny}", 4, "match is 'src//a'"),
        ("{tool: Read, match: '~/.ssh/*', then: deny}", 4, "match is '~/.ssh/*'"),
        ("{tool: Write, match: src/../x, then: ask}", 4, "match is 'src/../x'"),
        ("{tool: Write, match: ../x/*, then: allow}", 4, "match is '../x/*'"),
        ("{tool: Bash, chat: '012', then: ask}", 4, "chat is '012', and no id is written so; write '12'"),
    ],
)
def test_a_malformed_rule_is_refused_with_its_line(tmp_path: Path, rule: str, line: int, why: str) -> None:
    """The server does not start with it, and a hook allows nothing."""
    env = configured(tmp_path, f"policy:\n# First.\n- {{tool: Read, then: ask}}\n- {rule}\n")
    with pytest.raises(ConfigError) as refused:
        load(Settings, env)
    assert f"line {line}: rule 2: {why}" in str(refused.value)
    settings, problems = load_hook_settings(env.config_file)
    assert [one.then for one in settings.policy] == ["ask"]
    assert settings.policy[0].unreadable == str(env.config_file)
    assert f"line {line}: rule 2" in problems[0]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("{tool: Bash, chat: 012, then: ask}", "chat is 012, which YAML reads as another number"),
        ("{tool: Bash, chat: 1_000, then: ask}", "chat is 1_000, which"),
        ("{<<: {tool: Bash}, then: ask}", "<< puts in what stands elsewhere"),
    ],
)
def test_what_yaml_reads_as_something_else_is_refused(tmp_path: Path, rule: str, why: str) -> None:
    """A rule that says one thing and means another would match nothing, or too much."""
    env = configured(tmp_path, f"policy:\n- {{tool: Read, then: ask}}\n- {rule}\n")
    with pytest.raises(ConfigError) as refused:
        load(Settings, env)
    assert "line 3" in str(refused.value)
    assert why in str(refused.value)
    assert load_hook_settings(env.config_file)[0].policy[0].unreadable


def test_a_path_outside_can_be_denied_as_it_is_seen_from_the_project(project: Path) -> None:
    """What denies is also compared with the path from there, so such a rule is no mistake."""
    rules = parse_policy([{"tool": "Read", "match": "../other/*", "then": "deny"}])
    assert decide(rules, HostRequest("Read", {"file_path": str(project.parent / "other/x")}, project)) is not None


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"tool": "bash", "match": "ls", "then": "deny"}, "hosts call this tool Bash"),
        ({"tool": "mcp__db", "then": "deny"}, "a server's tool is called mcp__db__TOOL"),
        ({"tool": "WebFetch", "match": "docs.example/*", "then": "allow"}, "begins with https://"),
        ({"tool": "WebFetch", "match": "h*", "then": "allow"}, None),
        ({"tool": "mcp__db*", "match": "a", "then": "deny"}, None),
    ],
)
def test_rules_that_match_nothing_are_named_with_their_line(
    tmp_path: Path, rule: dict[str, str], why: str | None
) -> None:
    """A tool, or a field of it, that no host has."""
    text = f"policy:\n- {{tool: Read, match: x, then: ask}}\n- {json.dumps(rule)}\n"
    problems = list(map(str, policy_problems(load(Settings, configured(tmp_path, text)).policy, 1)))
    assert problems == [] if why is None else [one for one in problems if one.startswith("line 3: rule 2 ")] == problems
    assert why is None or why in problems[0]


@pytest.mark.parametrize(
    ("match", "command", "allowed"),
    [
        ("git diff*", "git diff --stat", True), ("git diff*", "git diff --output=x", False),
        ("git diff*", "git diff --outp x", False), ("git diff*", "git diff --'output'=x", False),
        ("git diff*", "git diff --output-indicator-new=x", True), ("git diff --output=x", "git diff --output=x", True),
        ("git diff --output=x*", "git diff --output=x --output=y", False), ("git log*", "git log --ext-diff", False),
        ("git grep*", "git grep -Ovim x", False), ("git grep*", "git grep -n x", True),
        ("sort*", "sort a -o b", False), ("sort*", "sort -uob a", False), ("sort*", "sort -u a", True),
        ("sort -o b*", "sort -o b a", True), ("find*", "find . -name x", True), ("find*", "find . -delete", False),
        ("find*", "find . -exec rm x +", False), ("find*", "find . -fprintf x y", False),
        ("sed*", "sed -n 5p x", True), ("sed*", "sed -ni.bak 5p x", False), ("sed*", "sed --in-pl 5p x", False),
        ("sed -i*", "sed -i 5p x", True), ("tar*", "tar -tf x --to-command=id", False), ("tar*", "tar -tf x", True),
        ("tar*", "tar --checkpoint-act=exec=id -tf x", False), ("*", "curl -o x https://a", False),
        ("curl*", "curl -d@x https://a", False),
        ("git diff*", "git difftool -yx id", False), ("git diff*", "git difftool --extcmd id", False),
        ("rg*", "rg --pre id x", False), ("rg*", "rg --pretty x", True), ("ruff check*", "ruff check --fix", False),
        ("npm test*", "npm test -- --watch", True), ("env*", "env /usr/bin/sort -o x", False),
    ],
)  # fmt: skip
def test_a_rule_allows_no_option_that_writes_unless_it_names_it(
    project: Path, match: str, command: str, allowed: bool
) -> None:
    """A command that reads, but has an option to write a file or to run another program, is asked about."""
    rules = parse_policy([{"tool": "Bash", "match": match, "then": "allow"}])
    assert (decide(rules, HostRequest("Bash", {"command": command}, project)) is not None) == allowed


def test_what_is_no_list_is_refused(tmp_path: Path) -> None:
    """One rule alone, without its dash, is a mistake that would else be silent."""
    with pytest.raises(ConfigError, match="it must be a list of rules"):
        load(Settings, configured(tmp_path, "policy: {tool: Bash, then: deny}\n"))


def test_rules_that_do_not_do_what_they_seem_to_are_named() -> None:
    """Too broad, never reached, or more approvers than there are."""
    rules = parse_policy(
        [
            {"tool": "*", "match": "ls*", "then": "allow"},
            {"tool": "Bash", "then": "allow"},
            {"tool": "Bash", "match": "git *", "then": "ask", "approvers": 2},
            {"tool": "Edit", "match": "src/*", "then": "allow"},
            {"tool": "Edit", "match": "src/a/*", "then": "deny"},
            {"tool": "Edit", "match": "docs/*", "then": "deny"},
        ]
    )
    said = list(map(str, policy_problems(rules, 1)))
    assert [one.split(" ")[1] for one in said] == ["1", "2", "3", "3", "5"]
    assert "allows too much" in said[0] + said[1]
    assert "never matches, because rule 2" in said[2]
    assert "cannot be allowed: it takes" in said[3]
    assert "never matches, because rule 4" in said[4]


@pytest.fixture
def ask_two(store: Store, project: Path) -> Callable[[], str]:
    """Asks for a permission that two people have to give; returns the prompt's request id."""
    services = Services.of(store)
    for user_id, name in (("1", "ann"), ("2", "bob"), ("3", "cat")):
        services.access.allow(user_id, by="test", name=name)
        services.access.set_approver(user_id, approver=True)
    (rule,) = parse_policy([{"tool": "Bash", "match": "git push*", "then": "ask", "approvers": 2}])

    def asked() -> str:
        spec = permission_spec(
            "Bash", {"command": "git push"}, project=project, request_id="abcde", read=lambda _path: None, policy=rule
        )
        assert "2 different approvers" in spec.foot
        assert rule.describe() in spec.foot
        assert [button.value for _, _, button in spec.cells()] == [ALLOW, DENY]
        return services.prompts.create("permission", spec, session="s", timeout_s=60, lease_s=60, request_id="abcde").id

    return asked


def test_one_persons_two_taps_never_count_as_two(store: Store, ask_two: Callable[[], str]) -> None:
    """Tapped again, typed, or both: it takes another person; the record names the rule, and who consented."""
    prompts, ann, bob = Services.of(store).prompts, Person("1", "ann"), Person("2", "bob")
    prompt_id = ask_two()
    first = prompts.verdict("abcde", "allow", ann)
    assert first is not None
    assert not first.final
    for _ in range(3):
        again = prompts.verdict("abcde", "allow", ann)
        assert again is not None
        assert (again.final, again.alert) == (False, True)
        found = prompts.get(prompt_id)
        assert found is not None
        assert (found.state, found.result) == ("open", None)
    second = prompts.verdict("abcde", "allow", bob)
    assert second is not None
    assert second.final
    found = prompts.get(prompt_id)
    assert found is not None
    assert found.result is not None
    assert found.result["value"] == ALLOW
    records = [row for row in Services.of(store).audit.all() if row["what"].startswith("permission")]
    assert [(row["what"], row["subject"]) for row in records] == [
        ("permission consent", "1"),
        ("permission allow", "2"),
    ]
    assert all("rule 1 (Bash git push*" in row["detail"] for row in records)


def test_the_consent_of_who_lost_the_role_counts_no_more(store: Store, ask_two: Callable[[], str]) -> None:
    """Of two, both have to be approvers when the second allows it; with the role back it counts once."""
    services, (ann, bob, cat) = Services.of(store), (Person("1", "ann"), Person("2", "bob"), Person("3", "cat"))
    prompts, prompt_id = services.prompts, ask_two()
    for lose in (partial(services.access.set_approver, "1", approver=False), partial(services.access.remove, "2")):
        counted = prompts.verdict("abcde", "allow", ann if services.access.is_approver("1") else bob)
        assert counted is not None
        assert not counted.final
        assert lose()
    third = prompts.verdict("abcde", "allow", cat)
    assert third is not None
    assert not third.final
    assert "1 of 2" in third.feedback
    services.access.set_approver("1", approver=True)
    fourth = prompts.verdict("abcde", "allow", ann)
    assert fourth is not None
    assert fourth.final
    found = prompts.get(prompt_id)
    assert found is not None
    assert found.result is not None
    assert found.result["value"] == ALLOW


def test_one_who_denies_is_enough(store: Store, ask_two: Callable[[], str]) -> None:
    """Also after somebody else has allowed it, and also the same person."""
    prompts = Services.of(store).prompts
    prompt_id = ask_two()
    prompts.verdict("abcde", "allow", Person("1", "ann"))
    denied = prompts.verdict("abcde", "deny", Person("1", "ann"))
    assert denied is not None
    assert denied.final
    found = prompts.get(prompt_id)
    assert found is not None
    assert found.result is not None
    assert found.result["value"] == DENY
