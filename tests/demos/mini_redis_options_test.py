"""The command line: what is wrong is said, and quoted, and the exit code is 2."""
import subprocess
import unittest

import mini_redis_kit as kit


def run(*options):
    done = subprocess.run([kit.PROGRAM, *options], capture_output=True, text=True, timeout=10 * kit.SCALE)
    return done.returncode, done.stdout, done.stderr


class OptionsTest(unittest.TestCase):
    def test_bad_values_are_quoted(self):
        for options, wanted in [
                (("--port", "65536"), "'65536'"), (("--port", "-1"), "'-1'"), (("--port", "http"), "'http'"),
                (("--port", ""), "''"), (("--port", "80x"), "'80x'"), (("--bind", ""), "''"), (("extra",), "'extra'"),
                (("--port",), "--port"), (("--nosuch",), "--nosuch")]:
            with self.subTest(options):
                code, output, errors = run(*options)
                self.assertEqual((code, output), (2, ""))
                self.assertIn(wanted, errors)

    def test_help(self):
        code, output, errors = run("--help")
        self.assertEqual((code, errors), (0, ""))
        self.assertIn("--port N", output)

    def test_an_address_that_cannot_be_had_is_named(self):
        code, _, errors = run("--bind", "192.0.2.1", "--port", "0")
        self.assertEqual(code, 1)
        self.assertIn("192.0.2.1", errors)

    def test_a_port_that_is_taken_is_named(self):
        server = kit.Server()
        try:
            code, _, errors = run("--port", str(server.port))
            self.assertEqual(code, 1)
            self.assertIn(str(server.port), errors)
        finally:
            self.assertEqual(server.stop(), (0, ""))

    def test_other_addresses(self):
        for bind, wanted in [("0.0.0.0", "0.0.0.0:"), ("localhost", "")]:
            server = kit.Server("--bind", bind)
            self.assertTrue(server.address.startswith(wanted), server.address)
            self.assertEqual(server.stop(), (0, ""))


if __name__ == "__main__":
    kit.main()
