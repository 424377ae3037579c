"""The real redis-benchmark, one request at a time and 16 in a pipeline, without an error."""
import os
import subprocess

import mini_redis_kit as kit

TESTS = "ping,set,get,incr,lpush,lpop,mset"
RUNS = ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "LPUSH", "LPOP", "MSET (10 keys)"]


class BenchmarkTest(kit.ServerTest):
    def benchmark(self, pipeline):
        done = subprocess.run(
            ["redis-benchmark", "-h", self.server.host, "-p", str(self.server.port), "-t", TESTS, "-c", "50",
             "-n", os.environ.get("COIR_REQUESTS", "100000"), "-P", str(pipeline), "--csv"],
            capture_output=True, text=True, timeout=100 * kit.SCALE)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = [line.strip('"').split('","') for line in done.stdout.splitlines()[1:]]
        self.assertEqual([line[0] for line in lines], RUNS)
        print(f"-P {pipeline}:", ", ".join(f"{line[0]} {float(line[1]):,.0f}/s" for line in lines))

    def test_one_at_a_time(self):
        self.benchmark(1)

    def test_pipelines_of_16(self):
        self.benchmark(16)


if __name__ == "__main__":
    kit.main()
