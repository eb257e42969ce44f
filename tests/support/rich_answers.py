"""Answers that a platform shows best in its rich form, and some near them: forty, by name."""

# ruff: noqa: E501 - an answer a line

from __future__ import annotations

__all__ = ["ANSWERS", "NESTED", "PLAIN_ANSWERS"]


def table(columns: int, rows: int, cell: str = "value {row} of {column} in words") -> str:
    """Markdown of a table that does not fit aligned on a phone, from two columns on."""
    head = "|" + "|".join(f" Heading {column} " for column in range(columns)) + "|"
    lines = ["|" + "|".join(f" {cell.format(row=row, column=column)} " for column in range(columns)) + "|"
             for row in range(rows)]  # fmt: skip
    return "\n".join([head, "|" + "---|" * columns, *lines])


def log(lines: int, language: str = "") -> str:
    """Markdown of output."""
    return f"```{language}\n" + "\n".join(f"10:00:{n:02} worker {n} took job {n * 7}" for n in range(lines)) + "\n```"


NESTED = """\
1. First
   1. Inner first
      - deep point
        1. deepest
   2. Inner second
5. Fifth, as it was written

- [ ] open
  - [x] done inside
"""
DETAILS = """\
Ran everything.

<details>
<summary>Full log of `make test`</summary>

First paragraph, **bold**.

- one
- two

```py
assert True
```

> quoted

</details>

All green."""

ANSWERS: dict[str, str] = {
    "two columns": table(2, 3),
    "three columns": "Here you are:\n\n" + table(3, 4) + "\n\nAnything else?",
    "five columns": table(5, 12),
    "twenty columns": table(20, 2, "{row}x{column}"),
    "twenty-one columns": table(21, 2, "{row}x{column}"),
    "twenty-five columns": table(25, 2, "{row}x{column}"),
    "alignment": "| Left words here | Centre words here | Right words here |\n|:--|:-:|--:|\n| a | b | c |",
    "pipes in code": "| Command to run today | What the command does |\n|---|---|\n| `ps aux | grep x` | finds it |\n| `a || b` | either, with \\| in it |",
    "surplus cells": "| One column named here | Another column named |\n|---|---|\n| a | b | surplus | more |\n| c |",
    "empty cells": "| A first heading of the table | A second heading |  |\n|---|---|---|\n|  | b in words here | |\n| | | |",
    "links in cells": "| Name of the page | Where |\n|---|---|\n| docs | [here](https://example.org/a) |\n| bare | https://example.org/bare?x=1 |",
    "formatting in cells": "| Setting name here | What it is good for |\n|---|---|\n| **bold** *it* ~~s~~ | `code` ||hid|| |",
    "line breaks in cells": "| Name of a thing in words | Lines of the description |\n|---|---|\n| one | first<br>second line |",
    "several tables": table(3, 2) + "\n\nthen\n\n" + table(4, 2, "{column} again {row} words"),
    "a table in a list": "- item\n\n  " + table(3, 2).replace("\n", "\n  ") + "\n- after",
    "a task list": "Plan:\n\n- [x] read the code\n- [ ] write `tests`\n- [ ] **ship**",
    "nested": NESTED,
    "loose tasks": "- [ ] one\n\n  more of one\n\n- [x] two\n\n  ```sh\n  make\n  ```",
    "tasks and bullets": "- [ ] a\n- b\n- [x] c\n\n1. d\n2. e",
    "numbers as written": "- [ ] t\n\n3. three\n4. four\n\n7) seven",
    "numbered tasks": "1. [ ] first\n2. [x] second",
    "details": DETAILS,
    "details in one line": "<details><summary>Short</summary>Only this.</details>\n\nDone.",
    "details without a summary": "<details>\n\nsome words\n\n</details>",
    "details in details": "<details><summary>Outer</summary>\n\n<details><summary>Inner</summary>\n\ndeep\n\n</details>\n\n</details>",
    "details in a list": "- x\n\n  <details><summary>More</summary>\n\n  inside\n\n  </details>\n- y",
    "a long log": "The log:\n\n" + log(60) + "\n\nNothing unusual.",
    "a long diff": log(40, "diff"),
    "thirty thousand characters of output": log(900, "console"),
    "thirty thousand characters of a table": table(4, 300),
    "thirty thousand characters of tasks": "\n".join(f"- [{'x' if n % 2 else ' '}] task {n}, in a few words more" for n in range(800)),
    "Chinese": "| 檔案名稱與路徑 | 這個檔案的說明文字 | 大小 |\n|---|---|--:|\n| README.md | 中文說明，含標點。 | 12 |\n\n- [ ] 待辦事項\n- [x] 完成",
    "Japanese": "# 結果\n\n- [x] テストを書く（`pytest`）\n- [ ] リリース\n\n> 引用です",
    "Arabic": "| اسم الملف الكامل هنا | وصف الملف بالكلمات |\n|---|---|\n| config.yaml | إعدادات البرنامج |\n\n- [ ] مهمة أولى\n- [x] مهمة ثانية",
    "Hebrew": "שלום\n\n- [ ] משימה ראשונה\n- [x] משימה שנייה עם `code`",
    "money and numbers": "- [ ] costs $400-600K, not $1\n- [x] see #19469\n\n#19469 is closed, 50% of $x",
    "file names": "- [ ] README.md and src/app/main.rs\n- [x] run setup.sh, then see https://docs.rs/x\n\nAlso `a.md`.",
    "colours of a terminal": "- [ ] \x1b[31mred\x1b[0m words\n- [x] \x1b[1;32mok\x1b[0m\n\n```\n\x1b[33mwarn\x1b[0m\n```",
    "everything": "# Report\n\nIntro **b** *i* `c` ~~s~~ ||p||.\n\n" + table(3, 3) + "\n\n---\n\n" + DETAILS + "\n\n" + NESTED
    + "\n> quote\n> - [ ] in it\n\n```py\nprint('copy me')\n```\n\n[link](https://example.org) and <b>not bold</b> &amp; so on",
    "what looks like an address": "- [ ] set the model to openai:key@home\n- [x] done",
}  # fmt: skip

# Nothing in these needs a rich form.
PLAIN_ANSWERS: dict[str, str] = {
    "a sentence": "Done, **all** tests pass: see README.md.",
    "a list": "- a\n- b\n\n1. c\n2. d",
    "a table that fits": "| a | b |\n|---|---|\n| 1 | 2 |",
    "one column": "| A single column with a name that is long enough to fit nowhere |\n|---|\n| x |",
    "code": "```py\n" + "x = 1\n" * 200 + "```",
    "short output": log(20),
    "a table of code": "```sh\nls | wc\n```",
}
