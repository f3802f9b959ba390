# SPDX-License-Identifier: MIT
#
# A little of everything, with known counts.
import sys


def square(n):
    return n * n


def squares(n):
    result = []
    for i in range(n):
        result.append(square(i))
    return result


def numbers(n):
    for i in range(n):
        yield square(i)


def factorial(n):
    return n * factorial(n - 1) if n else 1


class Account:
    def __init__(self, balance):
        self.balance = balance

    def pay(self, amount):
        if amount > self.balance:
            raise ValueError("too much: %d" % amount)
        self.balance -= amount


def spend():
    account = Account(10)
    for amount in 4, 5, 6:
        try:
            account.pay(amount)
        except ValueError as error:
            print(error, file=sys.stderr)


def main():
    print(sum(squares(5)))
    print(sum(numbers(5)))
    print(factorial(5))
    print(sorted([3, 1, 2], key=square))
    spend()


if __name__ == "__main__":
    main()
