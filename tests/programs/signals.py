# SPDX-License-Identifier: MIT
#
# A signal whose handler raises before a function has begun: nothing looks for
# signals between interrupt_main, called by iter, and the function's entry.
# Each case is a function; the tests compare the call tree below it, in readings
# of the step clock.
import _thread
import signal


def leaf():
    return 1


def on_signal(number, frame):
    leaf()
    raise InterruptedError


def victim():
    leaf()


def signal_at_entry():
    for _ in range(3):
        try:
            for _ in iter(_thread.interrupt_main, 0):
                victim()
        except InterruptedError:
            leaf()
    leaf()


def signal_at_entry_of_recursion():
    for _ in range(2):
        try:
            recursive_victim(3)
        except InterruptedError:
            leaf()
    leaf()


def recursive_victim(n):
    if n:
        return recursive_victim(n - 1)
    for _ in iter(_thread.interrupt_main, 0):
        recursive_victim(3)


def signal_at_entry_caught_in_recursion():
    """What enters never is the same function as what is left last."""
    recursive_catcher(2)
    mutual_catcher(1)
    leaf()


def recursive_catcher(n):
    if n:
        recursive_catcher(n - 1)
        leaf()
    else:
        try:
            for _ in iter(_thread.interrupt_main, 0):
                recursive_catcher(3)
        except InterruptedError:
            leaf()


def mutual_catcher(n):
    if n:
        catches_mutual()
    leaf()


def catches_mutual():
    try:
        for _ in iter(_thread.interrupt_main, 0):
            mutual_catcher(0)
    except InterruptedError:
        leaf()


def signal_at_resumption():
    """The same where a generator goes on."""
    numbers = nested_numbers(2)
    next(numbers)
    try:
        for _ in iter(_thread.interrupt_main, 0):
            for _ in numbers:
                pass
    except InterruptedError:
        leaf()
    leaf()


def nested_numbers(n):
    yield n
    if n:
        yield from nested_numbers(n - 1)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, on_signal)
    for case in [
            signal_at_entry,
            signal_at_entry_of_recursion,
            signal_at_entry_caught_in_recursion,
            signal_at_resumption]:
        case()
