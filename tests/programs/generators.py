# SPDX-License-Identifier: MIT
#
# How generators are entered and left. Each case is a function; the tests
# compare the call tree below it, in readings of the step clock.


def leaf():
    return 1


def raises(kind):
    raise kind


def count_to(n):
    for i in range(n):
        leaf()
        yield i


def generator_is_consumed():
    list(count_to(3))


def generator_in_a_loop():
    for _ in count_to(2):
        leaf()


def generator_is_closed():
    numbers = guarded()
    next(numbers)
    numbers.close()


def guarded():
    try:
        yield 1
    finally:
        leaf()


def generator_is_dropped():
    numbers = guarded()
    next(numbers)
    del numbers
    leaf()


def generator_never_started():
    guarded().close()
    leaf()


def stubborn():
    while True:
        try:
            yield 1
        except ValueError:
            leaf()


def generator_catches_what_is_thrown():
    numbers = stubborn()
    next(numbers)
    numbers.throw(ValueError())
    numbers.throw(ValueError())
    try:
        numbers.throw(KeyError())
    except KeyError:
        leaf()


def generator_is_thrown_before_it_starts():
    numbers = guarded()
    try:
        numbers.throw(ValueError())
    except ValueError:
        leaf()


def delegate(n):
    yield from count_to(n)
    yield from count_to(1)


def generator_delegates():
    list(delegate(2))


def generator_throw_is_delegated():
    outer = outer_stubborn()
    next(outer)
    outer.throw(ValueError())
    leaf()


def outer_stubborn():
    yield from stubborn()


def start_of(numbers):
    next(numbers)


def rest_of(numbers):
    list(numbers)


def generator_moves_between_callers():
    numbers = count_to(3)
    start_of(numbers)
    rest_of(numbers)


def generator_raises():
    try:
        for _ in failing():
            pass
    except ValueError:
        leaf()


def failing():
    yield 1
    raises(ValueError)


if __name__ == "__main__":
    for case in [
            generator_is_consumed,
            generator_in_a_loop,
            generator_is_closed,
            generator_is_dropped,
            generator_never_started,
            generator_catches_what_is_thrown,
            generator_is_thrown_before_it_starts,
            generator_delegates,
            generator_throw_is_delegated,
            generator_moves_between_callers,
            generator_raises]:
        case()
