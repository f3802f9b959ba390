# SPDX-License-Identifier: MIT
#
# Python functions that are called by C. Each case is a function; the tests
# compare the call tree below it, in readings of the step clock.
import functools
import re

WORDS = re.compile(r"\w+")


def leaf():
    return 1


def raises(kind):
    raise kind


def negative(n):
    return -n


def is_odd(n):
    return n % 2


def add(a, b):
    return a + b


def upper(match):
    return match.group().upper()


def callbacks_of_builtins():
    sorted([3, 1, 2], key=negative)
    list(map(negative, [1, 2]))
    list(filter(is_odd, [1, 2, 3]))
    max([1, 2, 3], key=negative)
    functools.reduce(add, [1, 2, 3])


def callbacks_of_methods():
    [3, 1, 2].sort(key=negative)
    WORDS.sub(upper, "one two")
    iter_until = iter(leaf, 1)
    next(iter_until, None)


def compare(a, b):
    leaf()
    return a - b


def callback_through_cmp_to_key():
    [2, 1].sort(key=functools.cmp_to_key(compare))


def callback_in_callback():
    list(map(sorted_by_negative, [[1, 2], [3]]))


def sorted_by_negative(numbers):
    return sorted(numbers, key=negative)


class Thing:
    def __init__(self, n):
        self.n = leaf() * n

    def __eq__(self, other):
        leaf()
        return True

    def __hash__(self):
        return 1

    def __len__(self):
        return leaf()

    def __getattr__(self, name):
        return leaf()

    def __call__(self):
        return leaf()

    def __iter__(self):
        return iter([leaf()])

    def __enter__(self):
        return self

    def __exit__(self, *error):
        leaf()
        return True

    @property
    def area(self):
        return leaf()

    @classmethod
    def make(cls):
        return cls(2)

    @staticmethod
    def helper():
        return leaf()


def special_methods():
    thing = Thing(1)
    len(thing)
    thing.missing
    thing.area
    thing()
    list(thing)
    [thing].index(Thing.make())
    {thing: 1}
    Thing.helper()
    with thing:
        raises(ValueError)


class Dying:
    def __del__(self):
        leaf()


def death():
    dying = Dying()
    del dying
    leaf()
    [Dying(), Dying()].clear()


class Meta(type):
    def __call__(cls, *args):
        leaf()
        return super().__call__(*args)


class Made(metaclass=Meta):
    def __new__(cls):
        leaf()
        return super().__new__(cls)

    def __init__(self):
        leaf()


def metaclass_call():
    Made()


if __name__ == "__main__":
    for case in [
            callbacks_of_builtins,
            callbacks_of_methods,
            callback_through_cmp_to_key,
            callback_in_callback,
            special_methods,
            death,
            metaclass_call]:
        case()
