# SPDX-License-Identifier: MIT
#
# Coroutines and asynchronous generators, driven by hand. Each case is a
# function; the tests compare the call tree below it, in readings of the
# step clock.


def leaf():
    return 1


def raises(kind):
    raise kind


class Pause:
    """An awaitable that gives control to whoever drives the coroutine. It waits
    within a try: outside of one, 3.13.0 to 3.14.0 close it without an event."""

    def __await__(self):
        try:
            yield
        finally:
            pass


async def inner_task():
    await Pause()
    leaf()
    await Pause()


async def middle_task():
    await inner_task()
    leaf()


async def outer_task():
    await middle_task()


def drive(coroutine):
    try:
        while True:
            coroutine.send(None)
    except StopIteration:
        pass


def coroutines_await():
    drive(outer_task())


def coroutine_is_closed():
    task = outer_task()
    task.send(None)
    task.close()
    leaf()


def coroutine_is_thrown_into():
    task = catching_task()
    task.send(None)
    try:
        task.throw(ValueError())
    except StopIteration:
        leaf()


async def catching_task():
    try:
        await Pause()
    except ValueError:
        leaf()


async def ticks(n):
    for i in range(n):
        await Pause()
        yield i


async def sum_of_ticks():
    total = 0
    async for i in ticks(2):
        total += i
    return total


def async_generator():
    drive(sum_of_ticks())


async def async_list():
    return [i async for i in ticks(2)]


def async_comprehension():
    drive(async_list())


class Session:
    async def __aenter__(self):
        await Pause()

    async def __aexit__(self, *error):
        leaf()
        return True


async def in_session():
    async with Session():
        raises(ValueError)


def async_context():
    drive(in_session())


if __name__ == "__main__":
    for case in [
            coroutines_await,
            coroutine_is_closed,
            coroutine_is_thrown_into,
            async_generator,
            async_comprehension,
            async_context]:
        case()
