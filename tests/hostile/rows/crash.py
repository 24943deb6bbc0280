"""The rows C01 to C17: a worker that dies in the middle of a call."""
from row import native, python, row

CRASH = native("crash")


@row("C01", "NULL dereference", "PluginCrashed signal 11, stage=call", CRASH)
def c01(t):
    t.dies("null", "PluginCrashed", "signal 11", "stage=call", signal=11)


@row("C02", "infinite recursion", "PluginCrashed signal 11, stack overflow in the last words", CRASH)
def c02(t):
    t.dies("recursion", "PluginCrashed", "signal 11", signal=11)


@row("C03", "abort()", "PluginCrashed signal 6", CRASH)
def c03(t):
    t.dies("abort", "PluginCrashed", "signal 6", signal=6)
