"""The tidy tests, tested: each rule accepts a good tree and names the fault in a bad one."""

import pathlib
import sys
import tempfile
import unittest

import layers
import words

TABLE = """
| # | folder | holds | may include | outside library |
|---|---|---|---|---|
| 0 | `base` | errors | std | fmt |
| 1 | `fiber` | switch | 0 | Boost.Context |
| 2 | `hub` | loop | 0-1 | |
| 7 | `debug` | dump | 0-2 | |
| 8 | `tls` | streams | 0-2 | OpenSSL |
| 9 | `http` | server | 0-8 | see the issue |
| 10 | `redis`, `mysql` (peers) | client | 0-2, 8 | client libraries |
| 11 | `hooks` | libc | 0-2 | |
"""


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("src/README.md", TABLE)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


class Layers(Tree):
    def complaints(self, name, text):
        self.write(name, text)
        return "\n".join(layers.check(self.root))

    def test_a_missing_table_is_an_error(self):
        self.write("src/README.md", "no table")
        self.assertIn("no floor table", "\n".join(layers.check(self.root)))

    def test_downwards_is_fine(self):
        self.write("src/fiber/context.hpp", "#pragma once\n")
        text = '#include <coir/base/error.hpp>\n#include "fiber/context.hpp"\n#include <vector>\n'
        self.assertEqual(self.complaints("src/hub/hub.cpp", text), "")
        self.assertEqual(self.complaints("include/coir/hub.hpp", "#include <coir/hub/hub.hpp>\n"), "")
        self.assertEqual(self.complaints("include/coir/coir.hpp", "#include <coir/hub.hpp>\n"), "")
        self.assertEqual(self.complaints("include/coir/redis/c.hpp", "#include <coir/tls/s.hpp>\n"), "")
        self.assertEqual(self.complaints("src/testing/t.cpp", "#include <coir/debug/d.hpp>\n"), "")
        self.assertEqual(self.complaints("src/fiber/s.cpp", "#include <boost/context/fiber.hpp>\n"), "")

    def test_comments_do_not_count(self):
        text = "// #include <coir/hub/hub.hpp>\n/*\n#include <coir/hub/hub.hpp>\n*/\n"
        self.assertEqual(self.complaints("src/base/error.cpp", text), "")

    def test_upwards_is_named_with_its_line(self):
        found = self.complaints("src/base/error.cpp", "\n/* a\nb */\n#include <coir/hub.hpp>\n")
        self.assertIn("src/base/error.cpp:4: coir/hub.hpp: 'base' (floor 0) may not include 'hub' (floor 2)", found)

    def test_a_private_header_counts_too(self):
        self.write("src/hub/loop.hpp", "#pragma once\n")
        self.assertIn("may not include 'hub'", self.complaints("src/fiber/a.cpp", '#include "hub/loop.hpp"\n'))
        self.assertIn("named from there", self.complaints("src/hub/a.cpp", '#include "loop.hpp"\n'))
        self.assertIn("never a private header",
                      self.complaints("include/coir/hub/a.hpp", '#include "hub/loop.hpp"\n'))

    def test_peers_hooks_debug_testing_and_everything(self):
        for target, words_ in (("mysql/c.hpp", "peers"), ("hooks/h.hpp", "nothing includes"),
                               ("testing/t.hpp", "nothing includes"), ("coir.hpp", "everything-header"),
                               ("nowhere/x.hpp", "not in the floor table")):
            self.assertIn(words_, self.complaints("src/redis/a.cpp", f"#include <coir/{target}>\n"))
        self.assertIn("nothing includes 'debug'",
                      self.complaints("src/http/a.cpp", "#include <coir/debug/d.hpp>\n"))

    def test_umbrellas_unknown_folders_and_boost(self):
        self.assertIn("only its own folder",
                      self.complaints("include/coir/hub.hpp", "#include <coir/base/error.hpp>\n"))
        self.assertIn("'cellar' is not", self.complaints("src/cellar/a.cpp", ""))
        self.assertIn("belongs in a folder", self.complaints("src/stray.cpp", ""))
        self.assertIn("does not use Boost", self.complaints("src/hub/b.cpp", "#include <boost/any.hpp>\n"))


class Words(Tree):
    def complaints(self, name, text):
        self.write(name, text)
        return "\n".join(words.check(self.root))

    def test_leftovers(self):
        self.assertIn("a.md:2: 'TO" "DO'", self.complaints("a.md", "fine\nTO" "DO: later\n"))

    def test_machine_paths(self):
        self.assertIn("somebody's machine", self.complaints("a.md", "see /ho" "me/me/x\n"))

    def test_similar_words_pass(self):
        self.assertEqual(self.complaints("a.md", "mktemp coir.XXXXXX, http://x/home/page, NX XX, a/work/b\n"), "")

    def test_long_files(self):
        self.assertEqual(self.complaints("tests/a.py", "\n" * words.MAX_LINES), "")
        self.assertIn("501 lines", self.complaints("tests/a.py", "\n" * 501))
        self.assertNotIn("long.md", self.complaints("long.md", "\n" * 501))

    def test_dead_files(self):
        self.write("tests/hub/CMakeLists.txt", "coir_add_test(a_test SOURCES a_test.cpp)\n"
                   "coir_add_test(b_test)\n# dead_test.cpp\nx(sub/c.cpp)\n")
        for name in ("a_test", "b_test", "sub/c"):
            self.assertEqual(self.complaints(f"tests/hub/{name}.cpp", ""), "")
        for name in ("tests/hub/dead_test.cpp", "tests/hub/_test.cpp", "demos/hub/x.out"):
            self.assertIn(f"{name}: no CMakeLists.txt", self.complaints(name, ""))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
