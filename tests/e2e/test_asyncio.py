# SPDX-License-Identifier: MIT
"""asyncio: a coroutine is called once, and resumed as often as it is awaited
on; whoever runs meanwhile is none of its callees."""

from harness import Case


class Asyncio(Case):
    def stats(self, *names):
        return {name: (calls, resumes) for name, calls, resumes in self.rows(
            "select f.name, sum(s.calls), sum(s.resumes) from function_stats s "
            "join functions f on f.id = s.function_id where f.name in (%s) "
            "group by 1" % ", ".join("'%s'" % n for n in names))}

    def test_calls_and_resumes_are_counted_apart(self):
        app = self.script("""
            import asyncio

            async def many():
                for i in range(1000):
                    await asyncio.sleep(0)

            async def numbers():
                for i in range(10):
                    await asyncio.sleep(0)
                    yield i

            async def main():
                await many()
                async for i in numbers():
                    pass

            asyncio.run(main())
            """)
        self.record([app], options="builtins=no")
        self.assertEqual(self.stats("many", "numbers"),
                         {"many": (1, 1000), "numbers": (1, 20)})
        # pstats adds them up, as cProfile does.
        self.assertEqual(self.value("select ncalls from pstats "
                                    "where function = 'many'"), 1001)

    def test_server(self):
        app = self.script("""
            import asyncio

            async def serve(reader, writer):
                while True:
                    line = await reader.readline()
                    if not line:
                        break
                    writer.write(turn(line))
                    await writer.drain()
                writer.close()
                await writer.wait_closed()

            def turn(line):
                return line.strip()[::-1] + b"\\n"

            async def talk(port, n):
                reader, writer = await asyncio.open_connection("127.0.0.1",
                                                               port)
                for i in range(20):
                    await ask(reader, writer, b"%d-%d" % (n, i))
                writer.close()
                await writer.wait_closed()

            async def ask(reader, writer, what):
                writer.write(what + b"\\n")
                check(await reader.readline(), what)

            def check(line, what):
                assert line == what[::-1] + b"\\n"

            async def main():
                server = await asyncio.start_server(serve, "127.0.0.1", 0)
                port = server.sockets[0].getsockname()[1]
                await asyncio.gather(*(talk(port, n) for n in range(25)))
                server.close()
                print("ok")

            asyncio.run(main())
            """)
        self.assertEqual(self.record([app]).stdout, "ok\n")
        stats = self.stats("serve", "turn", "talk", "ask", "check")
        self.assertEqual({name: calls for name, (calls, _) in stats.items()},
                         {"serve": 25, "turn": 500, "talk": 25, "ask": 500,
                          "check": 500})
        # Each line has to come back: nobody has it at once.
        self.assertGreaterEqual(stats["ask"][1], 500)
        self.assertEqual(self.rows(
            "select caller_function, function, sum(primcalls) from callers "
            "where function in ('turn', 'check') group by 1, 2 order by 2"),
            [("ask", "check", 500), ("serve", "turn", 500)])
        self.assertEqual(self.value("select sum(n_unmatched) + sum(n_lost) "
                                    "from threads"), 0)
