# SPDX-License-Identifier: MIT
#
# Functions that call themselves. Each case is a function; the tests compare
# the call tree below it, in readings of the step clock.


def leaf():
    return 1


def down(n):
    return down(n - 1) + 1 if n else 0


def recursion():
    down(4)


def even(n):
    return odd(n - 1) if n else True


def odd(n):
    return even(n - 1) if n else False


def mutual_recursion():
    even(4)


def fib(n):
    return fib(n - 1) + fib(n - 2) if n > 1 else n


def branching_recursion():
    fib(5)


if __name__ == "__main__":
    for case in [
            recursion,
            mutual_recursion,
            branching_recursion]:
        case()
