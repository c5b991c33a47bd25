# SPDX-License-Identifier: LGPL-2.1-or-later
"""build-aux/lint finds each breach in a small tree made for it, and nothing in a clean one."""
import os
import subprocess
import sys
import tempfile
import unittest

import tap

LINT = os.path.join(os.environ["FARWATCH_TEST_SRCDIR"], "build-aux", "lint")
BARE = "/* SPDX-License-Identifier: LGPL-2.1-or-later */"
SPDX = BARE + " /* This file is part of a tree made for the lint. */\n"  # in one line, so that what follows begins at 2
HASH = "# SPDX-License-Identifier: LGPL-2.1-or-later\n"
README = "<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->\n" + "".join(
    f"## {title}\n" for title in ("What it does", "Types and options", "Files and devices it touches", "Since"))
CLEAN = {
    "configure.ac": HASH + "FAR_PLUGIN([service-x], [auto])\n",
    "plugins/local.mk": HASH + "include plugins/service-x/local.mk\n",
    "plugins/service-x/local.mk": HASH + "x_SOURCES = plugins/service-x/x.c plugins/service-x/own.h\n",
    "plugins/service-x/README.md": README,
    "plugins/service-x/own.h": SPDX + "#pragma once\n",
    "plugins/service-x/x.c": SPDX + '#include "config.h"\n#include <farwatch/plugin.h>\n#include "own.h"\n'
                                    'static const char text[] = "goto system (1)"; /* sprintf (x) */\n',
    "core/local.mk": HASH + "c_SOURCES = core/c.c core/inside.h\n",
    "core/c.c": SPDX + '#include "config.h"\nint c (void);\nint\nc (void)\n{\n  return self->signal (1);\n}\n',
    "core/inside.h": SPDX + "#pragma once\n",
}


class Lint(unittest.TestCase):
    def run_on(self, changes, build=False):
        with tempfile.TemporaryDirectory() as top:
            for path, text in {**CLEAN, **changes}.items():
                if text is None:
                    continue
                os.makedirs(os.path.dirname(os.path.join(top, path)) or top, exist_ok=True)
                with open(os.path.join(top, path), "w", encoding="utf-8") as file:
                    file.write(text)
            # not a git tree: configure.ac and the like are read by name
            command = [sys.executable, LINT, top]
            if build:
                self.compile(top)
                command.append(top)
            run = subprocess.run(command, capture_output=True, text=True, timeout=60)
            self.assertEqual(run.stderr, "")
            return run.returncode, run.stdout

    def compile(self, top):
        folder = os.path.join(top, "plugins", "service-x")
        os.mkdir(os.path.join(folder, ".libs"))
        subprocess.run(["gcc", "-fPIC", "-c", "-o", os.path.join(folder, ".libs", "service_x_la-state.o"), os.path.join(folder, "state.c")], check=True)

    def finds(self, changes, *expected, build=False):
        status, output = self.run_on(changes, build)
        self.assertEqual(status, 1, output)
        for text in expected:
            self.assertIn(text, output)
        self.assertIn(f"lint: {len(expected)} findings", output)

    def in_core(self, body):
        return {"core/c.c": SPDX + '#include "config.h"\n' + body}

    def test_clean_tree(self):
        status, output = self.run_on({})
        self.assertEqual(status, 0, output)

    def test_spdx(self):
        self.finds({"core/inside.h": "#pragma once\n"}, "core/inside.h:1: no SPDX line")

    def test_head_comment(self):
        self.finds({"core/inside.h": BARE + "\n#pragma once\n/* This header has its comment too late. */\n"}, "core/inside.h:2: no head comment")

    def test_head_comment_of_a_word(self):
        self.finds({"core/inside.h": BARE + "\n/* Inside. */\n#pragma once\n",
                    "core/c.c": BARE + '\n/* Some words that are no sentence at all */\n#include "config.h"\n'},
                   "core/inside.h:2: no head comment", "core/c.c:2: no head comment")

    def test_columns(self):
        self.finds({"core/inside.h": SPDX + "#pragma once\n/* " + "x" * 106 + " */\n"}, "core/inside.h:3: 112 columns, at most 110")

    def test_format(self):
        style = {".clang-format": HASH + "ReflowComments: false\nColumnLimit: 0\nPointerAlignment: Right\nSpaceBeforeParens: Always\n"
                                         "AlwaysBreakAfterReturnType: TopLevelDefinitions\nBreakBeforeBraces: Linux\n"
                                         "SortIncludes: Never\n"}
        self.finds({**style, "core/c.c": SPDX + '#include "config.h"\nint c;\nint   d;\nint   e;\n'}, "core/c.c:4: not formatted; run clang-format")

    def test_names_twice(self):
        other = SPDX + '#include "config.h"\ntypedef struct {\n  int x;\n} Job;\nstatic int\nrefuse (void)\n{\n  return 0;\n}\n'
        self.finds({"core/c.c": other, "plugins/service-x/x.c": other}, "plugins/service-x/x.c:5: Job: core/c.c has that name too",
                   "plugins/service-x/x.c:7: refuse: core/c.c has that name too")

    def test_exempt_by_the_line_before(self):
        before = "  /* %slint: allow getaddrinfo */\n  getaddrinfo (0);\n"
        status, output = self.run_on(self.in_core("void\nf (void)\n{\n" + before % "numbers only; " + "}\n"))
        self.assertEqual(status, 0, output)
        self.finds(self.in_core("void\nf (void)\n{\n  g (0); /* lint: allow getaddrinfo */\n  getaddrinfo (0);\n}\n"), "core/c.c:7: getaddrinfo()")

    def test_head_comment_of_several_lines(self):
        status, output = self.run_on({"core/inside.h": BARE + "\n/* This header\n * has one.\n */\n#pragma once\n"})
        self.assertEqual(status, 0, output)

    def test_goto(self):
        self.finds(self.in_core("  goto out;\n"), "core/c.c:3: goto")

    def test_banned(self):
        self.finds(self.in_core("x = atoi (a);\nstrcat (a, b);\nsystem (a);\nusleep (1);\nsprintf (a, b);\nsignal (1, f);\n"),
                   "core/c.c:3: atoi", "core/c.c:4: strcat", "core/c.c:5: system", "core/c.c:6: usleep",
                   "core/c.c:7: sprintf", "core/c.c:8: signal")

    def test_no_without_a_word(self):
        self.finds(self.in_core("static void *\nfind (int a)\n{\n  return NULL;\n}\n\nvoid *\nload (int a, GError **error)\n{\n  return find (a);\n}\n\n"
                                "int\nopens (int a, GError **error)\n{\n  if (a)\n    return FALSE;\n  return fill (a, error);\n}\n"),
                   "core/c.c:12: load: returns find (a) without an error", "core/c.c:19: opens: returns FALSE without an error")

    def test_no_with_a_word(self):
        status, output = self.run_on(self.in_core("int\nopens (int a, GError **error)\n{\n  if (a)\n    return FALSE; /* lint: allow silent: nothing to do */\n"
                                                  "  if (fill (a, error))\n    return TRUE;\n  drop (a);\n  return FALSE;\n}\n"))
        self.assertEqual(status, 0, output)

    def test_what_outlives_its_service(self):
        body = '#include "config.h"\nfar_request_new (done, self, 0);\nfar_loop_timer (loop, at, func, self);\nfar_request_of (at, done, self, NULL, 0);\n'
        self.finds({"plugins/service-x/x.c": SPDX + body}, "plugins/service-x/x.c:3: far_request_new(): use far_request_of",
                   "plugins/service-x/x.c:4: far_loop_timer(): use far_instance_timer")
        kept = body.replace("self, 0);", "self, 0); /* lint: allow far_request_new */").replace("func, self);", "func, self); /* lint: allow far_loop_timer */")
        status, output = self.run_on({"plugins/service-x/x.c": SPDX + kept, **self.in_core(body.split("\n", 1)[1])})
        self.assertEqual(status, 0, output)

    def test_allowed_with_a_reason(self):
        status, output = self.run_on(self.in_core("usleep (1); /* lint: allow usleep: the library asks for it */\n"))
        self.assertEqual(status, 0, output)

    def test_long_function(self):
        self.finds(self.in_core("int\nf (void)\n{\n" + "  a ();\n" * 79 + "}\n"), "core/c.c:5: function of 81 lines")

    def test_long_file(self):
        self.finds(self.in_core("int a;\n" * 800), "core/c.c:802: more than 800 lines")

    def test_config_h_first(self):
        self.finds({"core/c.c": SPDX + "#include <glib.h>\n"}, 'core/c.c:2: the first include is "config.h"')

    def test_pragma_once(self):
        self.finds({"core/inside.h": SPDX}, "core/inside.h:1: a header begins with #pragma once")

    def test_core_knows_no_driver(self):
        self.finds(self.in_core("#include <sqlite3.h>\n"), "core/c.c:3: <sqlite3.h> belongs to a driver")

    def test_service_knows_no_driver(self):
        self.finds({"plugins/service-x/own.h": SPDX + "#pragma once\n#include <libssh/libssh.h>\n"},
                   "own.h:3: <libssh/libssh.h> belongs to a driver")

    def test_service_asks_no_transport(self):
        self.finds({"plugins/service-x/own.h": SPDX + "#pragma once\nextern const FarCarrierOps *ops;\n"},
                   "own.h:3: a service asks no transport's type")

    def test_plugin_knows_no_other(self):
        self.finds({"plugins/service-x/own.h": SPDX + '#pragma once\n#include "../y/y.h"\n#include <inside.h>\n'},
                   'own.h:3: "../y/y.h" is not of this plugin', "own.h:4: <inside.h> is inside core")

    def test_unlisted_source(self):
        self.finds({"core/lost.c": SPDX}, "core/lost.c: stands in no local.mk")

    def test_unlisted_test(self):
        self.finds({"tests/unit/test-x.c": SPDX, "tests/integration/x.py": HASH},
                   "tests/unit/test-x.c: stands in no local.mk", "tests/integration/x.py: stands in no local.mk")

    def test_test_without_assertion(self):
        self.finds({"tests/local.mk": HASH + "check_PROGRAMS += tests/unit/test-x\n",
                    "tests/unit/test-x.c": SPDX + "START_TEST (a)\n{\n}\nEND_TEST\n"}, "test-x.c:1: has tests but asserts nothing")

    def test_poll_step_in_a_test(self):
        listed = {"tests/local.mk": HASH + "check_PROGRAMS += tests/unit/test-x\n"}
        body = SPDX + "START_TEST (a)\n{\n  ck_assert (1);\n  g_usleep (%d);\n}\nEND_TEST\n"
        status, output = self.run_on({**listed, "tests/unit/test-x.c": body % 200})
        self.assertEqual(status, 0, output)
        self.finds({**listed, "tests/unit/test-x.c": body % 20000}, "test-x.c:5: g_usleep")

    def test_python_sleep(self):
        self.finds({"tests/lib.py": HASH + "time" + ".sleep(1)\n"}, "tests/lib.py:2: time.sleep")

    def test_plugin_folder(self):
        self.finds({"plugins/service-y/local.mk": HASH}, "service-y: no README.md", "service-y: no FAR_PLUGIN([service-y]",
                   "service-y: plugins/local.mk does not include")

    def test_readme_section(self):
        self.finds({"plugins/service-x/README.md": README.replace("## Since", "")}, "no section '## Since'")

    def test_state(self):
        listed = {"plugins/service-x/local.mk": CLEAN["plugins/service-x/local.mk"] + "y = plugins/service-x/state.c\n"}
        source = SPDX + ("int written = 1;\nstatic int zero;\nstatic const char *const fine[] = { \"a\" };\n"
                         "const void *use (void);\nconst void *\nuse (void)\n{\n  static int hidden = 3;\n"
                         "  hidden += zero++;\n  return hidden ? (const void *) fine : &written;\n}\n")
        self.finds({**listed, "plugins/service-x/state.c": source}, "'written' is writable", "'zero' is writable",
                   "'hidden' is writable", build=True)

    def test_state_allowed(self):
        listed = {"plugins/service-x/local.mk": CLEAN["plugins/service-x/local.mk"] + "y = plugins/service-x/state.c\n"}
        source = SPDX + "int written = 1; /* lint: allow state written: handed to a library that wants it so */\n"
        status, output = self.run_on({**listed, "plugins/service-x/state.c": source}, build=True)
        self.assertEqual(status, 0, output)

    def test_constructor(self):
        listed = {"plugins/service-x/local.mk": CLEAN["plugins/service-x/local.mk"] + "y = plugins/service-x/state.c\n"}
        source = SPDX + "__attribute__ ((constructor)) static void early (void)\n{\n}\n"
        self.finds({**listed, "plugins/service-x/state.c": source}, "has a constructor", build=True)

    def test_constructor_allowed(self):
        listed = {"plugins/service-x/local.mk": CLEAN["plugins/service-x/local.mk"] + "y = plugins/service-x/state.c\n"}
        source = SPDX + "/* lint: allow constructor: a library wants it so */\n__attribute__ ((constructor)) static void early (void)\n{\n}\n"
        status, output = self.run_on({**listed, "plugins/service-x/state.c": source}, build=True)
        self.assertEqual(status, 0, output)


tap.main()
