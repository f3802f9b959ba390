# SPDX-License-Identifier: MIT
#
# orders.py: some work of its own, some of the standard library's, on several
# threads.  What scripts/picture shows.
import difflib
import hashlib
import json
import re
import textwrap
import threading
import xml.dom.minidom

ADDRESS = re.compile(r"(\w+)@(\w+)\.(com|org)")


def price(item):
    return sum(ord(c) for c in item) % 97


def tax(amount):
    return round(amount * 0.19, 2)


class Order:
    def __init__(self, size):
        self.items = ["item%d" % (i * size % 31) for i in range(size)]

    def total(self):
        return sum(price(i) + tax(price(i)) for i in self.items)

    def addresses(self):
        return ADDRESS.findall("anne@example.com bob@example.org " * 5)


def load(n):
    return [json.loads(json.dumps({"id": i, "tags": ["new", "paid"] * 5}))
            for i in range(n)]


def digest(rows):
    return [hashlib.sha256(json.dumps(r).encode()).hexdigest() for r in rows]


def report(n):
    rows = load(n)
    totals = []
    for row in rows:
        order = Order(row["id"] % 17)
        totals.append((order.total(), len(order.addresses())))
    totals.sort(key=lambda pair: pair[0])
    return digest(rows)


def manual():
    page = xml.dom.minidom.parseString(
        "<manual>" + "<p id='x'>text</p>" * 400 + "</manual>")
    page.toprettyxml()
    list(difflib.ndiff(["one two %d" % i for i in range(60)],
                       ["one two %d" % (2 * i) for i in range(60)]))
    textwrap.wrap("lorem ipsum " * 2000)


def main():
    threads = [threading.Thread(target=report, args=(900,), name="worker-%d" % i)
               for i in range(2)]
    for thread in threads:
        thread.start()
    manual()
    report(1500)
    for thread in threads:
        thread.join()


main()
