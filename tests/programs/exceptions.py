# SPDX-License-Identifier: MIT
#
# Exceptions, on their way through frames of Python and of C. Each case is a
# function; the tests compare the call tree below it, in readings of the
# step clock.
import sys


def leaf():
    return 1


def raises(kind):
    raise kind


def deep(n, do):
    if n:
        deep(n - 1, do)
    else:
        do()


def boom():
    raises(ValueError)


def exception_through_many_frames():
    try:
        deep(20, boom)
    except ValueError:
        leaf()


def exception_through_c():
    try:
        sorted([3, 1, 2], key=raises_value_error)
    except ValueError:
        leaf()


def raises_value_error(_):
    raise ValueError


def exception_from_c():
    try:
        len(0)
    except TypeError:
        leaf()
    try:
        [].pop()
    except IndexError:
        leaf()
    try:
        {}.pop(1)
    except KeyError:
        leaf()


def finally_runs():
    try:
        reraises()
    except KeyError:
        leaf()


def reraises():
    try:
        try:
            raises(ValueError)
        finally:
            leaf()
    except ValueError as error:
        raise KeyError from error


def exit_is_caught():
    try:
        sys.exit(3)
    except SystemExit:
        leaf()


if __name__ == "__main__":
    for case in [
            exception_through_many_frames,
            exception_through_c,
            exception_from_c,
            finally_runs,
            exit_is_caught]:
        case()
