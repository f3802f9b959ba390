# SPDX-License-Identifier: MIT
#
# Code of many origins, and ways of calling it. Each case is a function; the
# tests compare the call tree below it, in readings of the step clock.
import types


def leaf():
    return 1


def add(a, b):
    return a + b


def code_by_exec():
    names = {"leaf": leaf}
    exec("def made():\n  leaf()\nmade()\nmade()", names)
    eval("leaf() + leaf()", names)


def lambdas_of_one_line():
    for f in [lambda: leaf(), lambda: leaf(), lambda: leaf()]:
        f()


def same_label_from_exec():
    for _ in range(3):
        names = {}
        exec("def same(): pass", names)
        names["same"]()
        names["same"]()


def list_comprehension():
    [leaf() for _ in range(3)]


def set_and_dict_comprehension():
    {leaf() for _ in range(2)}
    {i: leaf() for i in range(2)}


def generator_expression():
    sum(leaf() for _ in range(3))


def calls_with_star():
    args, keywords = (1, 2), {"b": 2}
    add(*args)
    add(1, **keywords)
    len(*[[1]])


def bound_method_of_c():
    append = [].append
    append(1)
    append(2)
    call = len
    call("x")


def method_type_of_c():
    types.MethodType(len, [1])()
    leaf()


def unbound_method_of_c():
    list.append([], 1)
    str.upper("x")
    dict.fromkeys([1])
    try:
        list.append(1)
    except TypeError:
        leaf()


if __name__ == "__main__":
    for case in [
            code_by_exec,
            lambdas_of_one_line,
            same_label_from_exec,
            list_comprehension,
            set_and_dict_comprehension,
            generator_expression,
            calls_with_star,
            bound_method_of_c,
            method_type_of_c,
            unbound_method_of_c]:
        case()
